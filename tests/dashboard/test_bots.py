"""Bots on the pages: making one, connecting it, its address, its status, its alert message."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from bots.models import Bot
from common.errors import Invalid
from common.ids import digest
from events.models import AuditRecord
from groups.models import Group
from surfaces.dashboard.views import messages
from tests.dashboard.world import World, make_account
from trading.services.intents import OrderIntent
from trading.services.preflight import Check, Preflight
from webhooks.alerts import parse_alert
from webhooks.dry_run import DryLeg, DryRun
from webhooks.models import Signal


@pytest.fixture
def group(world: World) -> Group:
    """A group of both accounts."""
    group = Group.objects.create(organisation=world.organisation, name="both")
    group.accounts.set(world.accounts)
    return group


def page_of(client: Client, name: str, *keys: Any, **query: Any) -> str:
    """The text of a page that answers."""
    answer = client.get(reverse(f"dashboard:{name}", args=keys), query)
    assert answer.status_code == 200
    return answer.content.decode()


def ticked(text: str) -> list[str]:
    """The accounts that a form has ticked."""
    return re.findall(r'name="account_ids" value="(\d+)"[^>]* checked', text)


def test_a_bot_is_made_paused_and_its_secrets_are_shown_this_once(
    browser_client: Client, world: World, group: Group
) -> None:
    form = {"name": "Trend", "timeframe": "1h", "status": "PAUSED", "group_ids": [group.pk]}
    form |= {"max_leverage": "3"}
    form |= {"account_ids": [world.accounts[0].pk], "with_token": "on", "with_hmac": "on"}
    answer = browser_client.post(reverse("dashboard:new_bot"), form)
    bot = Bot.objects.get(name="Trend")
    text = answer.content.decode()
    token = re.search(r"http://testserver/api/v1/webhook/tradingview/([\w-]+)", text)
    assert token is not None
    assert bot.path_token_hash == digest(token[1])
    assert bot.open_hmac_secret() in text
    assert (bot.status, list(bot.groups.all()), bot.accounts.count()) == ("PAUSED", [group], 1)
    assert bot.max_leverage == 3
    assert answer.headers["Cache-Control"] == "no-store"
    for name in ("bot", "alert_message"):
        shown = page_of(browser_client, name, bot.pk)
        assert token[1] not in shown
        assert bot.open_hmac_secret() not in shown


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "Acme bot"}, "is taken"),
        ({"name": "list"}, "is reserved"),
        ({"max_leverage": "1000"}, "must be 1 to 125"),
        ({"with_token": "", "with_hmac": ""}, "no_authentication"),
        ({"group_ids": ["999999"]}, "not one of the available choices"),
    ],
)
def test_a_bot_that_cannot_be_made_keeps_the_form(
    browser_client: Client, world: World, change: dict[str, Any], says: str
) -> None:
    form = {"name": "Trend", "timeframe": "1h", "status": "PAUSED", "with_token": "on"}
    form |= {"max_leverage": "1", **change}
    answer = browser_client.post(reverse("dashboard:new_bot"), form)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert list(Bot.objects.all()) == [world.bot]


def test_connections_are_replaced_and_told(
    browser_client: Client, world: World, group: Group
) -> None:
    address = reverse("dashboard:bot_connections", args=[world.bot.pk])
    shown = browser_client.get(address).content.decode()
    assert ticked(shown) == [str(account.pk) for account in world.accounts]
    answer = browser_client.post(address, {"group_ids": [group.pk]})
    assert answer.headers["Location"] == reverse("dashboard:bot", args=[world.bot.pk])
    assert (list(world.bot.groups.all()), world.bot.accounts.count()) == ([group], 0)
    browser_client.post(address, {"group_ids": [group.pk]})
    assert AuditRecord.objects.filter(action="bot.connections_changed").count() == 1


def test_a_foreign_account_cannot_be_connected(
    browser_client: Client, world: World, foreign: World
) -> None:
    address = reverse("dashboard:bot_connections", args=[world.bot.pk])
    answer = browser_client.post(address, {"account_ids": [foreign.accounts[0].pk]})
    assert answer.status_code == 422
    assert world.bot.accounts.count() == 2


def test_a_new_token_is_made_after_it_was_said_what_it_ends(
    browser_client: Client, world: World
) -> None:
    before = world.bot.path_token_hash
    address = reverse("dashboard:bot_secret", args=[world.bot.pk, "token"])
    assert "accepted side by side" in browser_client.get(address).content.decode()
    world.bot.refresh_from_db()
    assert world.bot.path_token_hash == before
    text = browser_client.post(address, {"grace_seconds": "0"}).content.decode()
    token = re.search(r"/webhook/tradingview/([\w-]+)", text)
    assert token is not None
    world.bot.refresh_from_db()
    assert world.bot.path_token_hash == digest(token[1]) != before
    record = AuditRecord.objects.get(action="bot.secret_renewed")
    assert token[1] not in str((record.before, record.after))


def test_a_status_is_changed_after_its_meaning_was_shown(
    browser_client: Client, world: World
) -> None:
    address = reverse("dashboard:bot_status", args=[world.bot.pk])
    shown = browser_client.get(address, {"to": "stopped"}).content.decode()
    assert "Every signal is recorded and refused" in shown
    assert Bot.objects.get(pk=world.bot.pk).status == "ACTIVE"
    assert browser_client.post(address, {"to": "STOPPED"}).status_code == 302
    assert Bot.objects.get(pk=world.bot.pk).status == "STOPPED"
    assert browser_client.post(address, {"to": "asleep"}).status_code == 422
    assert browser_client.get(address).status_code == 422


def test_activating_a_bot_that_reaches_real_money_says_so(
    browser_client: Client, world: World
) -> None:
    Bot.objects.update(status="PAUSED")
    address = reverse("dashboard:bot_status", args=[world.bot.pk])
    assert "real money" not in browser_client.get(address, {"to": "active"}).content.decode()
    world.bot.accounts.add(make_account(world, "Real", book="live"))
    text = browser_client.get(address, {"to": "active"}).content.decode()
    assert "1 of them is live: its signals trade real money" in text
    assert "real money" not in browser_client.get(address, {"to": "stopped"}).content.decode()


def test_who_may_not_manage_reads_and_changes_nothing(world: World, group: Group) -> None:
    world.user.role = "trader"
    world.user.save()
    client = Client()
    client.force_login(world.user)
    assert "Connect…" not in page_of(client, "bot", world.bot.pk)
    for name in ("bot_connections", "bot_door", "bot_status"):
        assert client.post(reverse(f"dashboard:{name}", args=[world.bot.pk])).status_code == 403
    assert client.post(reverse("dashboard:new_bot"), {"name": "x"}).status_code == 403
    assert Bot.objects.get().accounts.count() == 2


def test_the_page_of_a_bot_shows_what_it_reaches_and_its_signals_alone(
    browser_client: Client, world: World, group: Group
) -> None:
    other = Bot(organisation=world.organisation, name="Idle", magic_id=1_900_002)
    other.set_hmac_secret("x" * 20)
    other.save()
    world.bot.groups.add(group)
    own, idle = (page_of(browser_client, "bot", bot.pk) for bot in (world.bot, other))
    signal = Signal.objects.get()
    assert f'id="signal-{signal.pk}"' in own
    assert f'id="account-{world.accounts[0].pk}"' in own
    assert reverse("dashboard:group", args=[group.pk]) in own
    assert f'id="signal-{signal.pk}"' not in idle
    assert "no_accounts" in idle
    listed = page_of(browser_client, "signals", bot=other.pk)
    assert f'id="signal-{signal.pk}"' not in listed
    assert f'id="signal-{signal.pk}"' in page_of(browser_client, "signals", bot=world.bot.pk)


def written(text: str) -> Any:
    """The message that a page shows."""
    found = re.search(r'<pre id="message">(.*?)</pre>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1].replace("&quot;", '"').replace("&#x27;", "'"))


def test_the_message_follows_the_choices_in_the_address(
    browser_client: Client, world: World
) -> None:
    usual = written(page_of(browser_client, "alert_message", world.bot.pk))
    assert (usual["botname"], usual["size"]) == ("Acme bot", "2%")
    chosen = {"side": "buy", "size": "100", "size_unit": "quote", "symbol": "ETHUSDC"}
    message = written(page_of(browser_client, "alert_message", world.bot.pk, **chosen))
    assert (message["side"], message["size"], message["symbol"]) == ("buy", "100 USDC", "ETHUSDC")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"size": ""}, "An entry needs a size."),
        ({"size": "two"}, "Size"),
        ({"symbol": "?"}, "is not a symbol"),
        ({"take_profit": "-1"}, "must not be negative"),
        ({"leverage": "1000"}, "Leverage"),
        ({"side": "up"}, "Act"),
    ],
)
def test_a_wrong_choice_writes_no_message(
    browser_client: Client, world: World, query: dict[str, str], says: str
) -> None:
    answer = browser_client.get(reverse("dashboard:alert_message", args=[world.bot.pk]), query)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert says in text
    assert 'id="message"' not in text


def test_a_bot_without_a_token_is_offered_one_and_told_why(
    browser_client: Client, world: World
) -> None:
    Bot.objects.update(path_token_hash="", body_secret_hash="x" * 64)
    text = page_of(browser_client, "alert_message", world.bot.pk)
    assert "no address of its own" in text
    assert "Make an address with a token" in text
    assert "the secret of the bot" in text


def test_an_address_that_tradingview_cannot_reach_is_said(
    browser_client: Client, world: World, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    address = reverse("dashboard:alert_message", args=[world.bot.pk])
    for host, says in (
        ("trade.example.org:8443", "port 8443"),
        ("192.168.0.7", "192.168.0.7 is reached from this machine or network alone"),
        ("localhost", "known in this network alone"),
    ):
        assert says in browser_client.get(address, headers={"host": host}).content.decode()
    fine = browser_client.get(address, headers={"host": "trade.example.org"}).content.decode()
    assert "cannot reach" not in fine


class Trial:
    """Stands in for the dry run and remembers what it was asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bodies: list[Any] = []
        self.refusal: Invalid | None = None

    def __call__(self, **asked: Any) -> DryRun:
        """One account would, the other would not."""
        self.bodies.append(json.loads(asked["body"]))
        if self.refusal:
            raise self.refusal
        first, second = self.world.accounts
        good = Preflight(True, "", (Check("size", True),), "rehearsal", Decimal(1), Decimal(9))
        bad = Preflight(False, "stale_balance", (Check("size", False, "stale_balance", "too old"),))
        alert = parse_alert(self.bodies[-1])
        intent = OrderIntent(account_id=first.pk, symbol="BTC/USDT", side="buy")
        legs = [DryLeg(first, intent, good), DryLeg(second, intent, bad)]
        return DryRun(self.world.bot, alert, legs)


@pytest.fixture
def trial(world: World, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """The stand-in, in place."""
    fake = Trial(world)
    monkeypatch.setattr(messages, "dry_run", fake)
    return fake


SAMPLE = {
    "message": '{"symbol": "{{ticker}}", "side": "{{strategy.order.action}}", "size": "2"}',
    "symbol": "ETHUSDT",
    "action": "sell",
}


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_dry_run_shows_a_row_for_each_account(
    browser_client: Client, world: World, trial: Trial, headers: dict[str, str]
) -> None:
    address = reverse("dashboard:try_message", args=[world.bot.pk])
    answer = browser_client.post(address, SAMPLE, headers=headers)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert trial.bodies == [{"symbol": "ETHUSDT", "side": "sell", "size": "2"}]
    assert "1 of 2 accounts would place an order" in text
    assert "stale_balance" in text
    assert "too old" in text
    assert ("<html" in text) is (headers == {})


def test_what_cannot_be_tried_out_is_said(
    browser_client: Client, world: World, trial: Trial
) -> None:
    address = reverse("dashboard:try_message", args=[world.bot.pk])
    for change, says in (
        ({"symbol": "?"}, "is not a symbol"),
        ({"message": "{{plot_1}}"}, "unknown_placeholder"),
        ({"message": ""}, "required"),
    ):
        answer = browser_client.post(address, {**SAMPLE, **change})
        assert (answer.status_code, says in answer.content.decode()) == (422, True)
    assert trial.bodies == []
    trial.refusal = Invalid("The alert is stale.", code="stale")
    assert b"stale" in browser_client.post(address, SAMPLE).content


def test_a_viewer_reads_the_message_and_tries_nothing(world: World, trial: Trial) -> None:
    world.user.role = "viewer"
    world.user.save()
    client = Client()
    client.force_login(world.user)
    assert "Dry run" not in page_of(client, "alert_message", world.bot.pk)
    address = reverse("dashboard:try_message", args=[world.bot.pk])
    assert client.post(address, SAMPLE).status_code == 403
    assert trial.bodies == []


def test_foreign_bots_are_missing_ones(browser_client: Client, foreign: World) -> None:
    for name in ("bot", "alert_message", "bot_connections", "bot_door", "bot_performance"):
        for key in (foreign.bot.pk, 999_999):
            answer = browser_client.get(reverse(f"dashboard:{name}", args=[key]))
            assert answer.status_code == 404
            assert "Other" not in answer.content.decode()
