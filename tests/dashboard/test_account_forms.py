"""Adding an account on the pages, what its exchange says, and the first steps' ticks."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from accounts.principals import principal_of_user
from accounts.services import create_account
from bots.models import Bot
from events.models import AuditRecord
from groups.models import Group
from surfaces.dashboard.first_steps import Progress, progress_of
from tests.dashboard.test_bots import page_of
from tests.dashboard.world import World, make_signal, make_world
from tests.trading.rehearsal import Exchange
from trading import states
from trading.models import Order

SECRET = "secret-that-stays-0123456789"
FORM = {
    "venue": "rehearsal",
    "name": "fresh",
    "api_key": "key-that-stays-0123456789",
    "api_secret": SECRET,
    "mode": "paper",
    "market_type": "spot",
    "max_leverage": "1",
}


def test_an_account_is_added_and_its_exchange_is_asked_next(
    browser_client: Client, world: World, settings: Any
) -> None:
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}
    answer = browser_client.post(reverse("dashboard:new_account"), FORM)
    account = Account.objects.get(name="fresh")
    assert answer.headers["Location"] == reverse("dashboard:account_checks", args=[account.pk])
    assert (account.venue, account.book, account.market_type) == ("rehearsal", "rehearsal", "spot")
    assert account.open_secret("api_secret") == SECRET
    assert AuditRecord.objects.filter(action="account.created").count() == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"venue": "nowhere"}, "not one of the available choices"),
        ({"name": "Acme 1"}, "is taken"),
        ({"api_key": ""}, "This field is required."),
        ({"max_leverage": "3"}, "must be 1 to 1"),
        ({"initial_balance": "-1"}, "must be above 0"),
        ({"venue": "okx"}, "passphrase_required"),
    ],
)
def test_an_account_that_cannot_be_added_keeps_the_form_without_its_secrets(
    browser_client: Client, world: World, settings: Any, change: dict[str, str], says: str
) -> None:
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}
    answer = browser_client.post(reverse("dashboard:new_account"), {**FORM, **change})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert says in text
    assert SECRET not in text
    assert FORM["api_key"] not in text
    assert Account.objects.count() == 2


def test_the_form_names_declared_exchanges_first(browser_client: Client, settings: Any) -> None:
    settings.EXCHANGE_VENUES = {"lab": {"ccxt": "bybit", "base_url": "http://127.0.0.1:9"}}
    form = browser_client.get(reverse("dashboard:new_account")).context["form"]
    assert form.fields["venue"].choices[0] == ("lab", "lab (no money)")


def test_who_may_not_manage_adds_nothing_and_asks_nobody(world: World) -> None:
    world.user.role = "trader"
    world.user.save()
    client = Client()
    client.force_login(world.user)
    assert "Add an account" not in page_of(client, "accounts")
    assert client.post(reverse("dashboard:new_account"), FORM).status_code == 403
    checks = reverse("dashboard:account_checks", args=[world.accounts[0].pk])
    assert client.post(checks).status_code == 403
    assert Account.objects.count() == 2


@pytest.mark.parametrize("mode", ["paper", "shadow"])
def test_the_exchange_tells_rights_and_balances(
    browser_client: Client,
    world: World,
    exchange: Exchange,
    mode: str,
) -> None:
    exchange.register(f"checks-{mode}-0123456789", SECRET, USDT="2500")
    account = create_account(
        principal=principal_of_user(world.user),
        venue="rehearsal",
        api_key=f"checks-{mode}-0123456789",
        api_secret=SECRET,
        mode=mode,
    )
    address = reverse("dashboard:account_checks", args=[account.pk])
    assert "is being asked" in browser_client.get(address).content.decode()
    answer = browser_client.post(address, headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert "The account is ready." in text
    assert "may trade" in text
    assert 'data-exact="2500"' in text
    exchange.call("POST", "/_account/revoke", {"api_key": f"checks-{mode}-0123456789"})
    refused = browser_client.post(address)
    assert refused.status_code == 200
    assert "Something is in the way" in refused.content.decode()
    assert "key_refused" in refused.content.decode()


def test_a_key_that_may_withdraw_is_warned_of(
    browser_client: Client, world: World, exchange: Exchange
) -> None:
    key = "checks-withdrawing-0123456789"
    account = {"api_key": key, "api_secret": SECRET, "balances": {}, "withdrawals": True}
    exchange.call("POST", "/_account", account)
    made = create_account(
        principal=principal_of_user(world.user), venue="rehearsal", api_key=key, api_secret=SECRET
    )
    answer = browser_client.post(reverse("dashboard:account_checks", args=[made.pk]))
    assert "THE KEY MAY WITHDRAW MONEY" in answer.content.decode()


def test_foreign_accounts_are_missing_ones(browser_client: Client, foreign: World) -> None:
    for key in (foreign.accounts[0].pk, 999_999):
        for name in ("account_checks", "account_performance"):
            answer = browser_client.get(reverse(f"dashboard:{name}", args=[key]))
            assert answer.status_code == 404
        checks = reverse("dashboard:account_checks", args=[key])
        assert browser_client.post(checks).status_code == 404


def test_the_first_steps_tick_themselves_off(db: None) -> None:
    world = make_world("Fresh", accounts=0)
    principal = principal_of_user(world.user)
    Bot.objects.update(status="PAUSED")
    none = dict.fromkeys(("account", "group", "connected", "active", "signal", "fill"), False)
    assert progress_of(principal) == Progress(**none, bot=world.bot)

    def done() -> set[str]:
        found = progress_of(principal)
        return {name for name in none if getattr(found, name)}

    account = create_account(
        principal=principal, venue="binance", api_key="k" * 20, api_secret="s" * 20
    )
    world.accounts.append(account)
    assert done() == {"account"}
    group = Group.objects.create(organisation=world.organisation, name="desk")
    assert done() == {"account"}
    group.accounts.add(account)
    assert done() == {"account", "group"}
    world.bot.groups.add(group)
    assert done() == {"account", "group", "connected"}
    Bot.objects.update(status="ACTIVE")
    assert done() == {"account", "group", "connected", "active"}
    make_signal(world)
    assert done() == set(none)
    Order.objects.update(state=states.OPEN)
    assert done() == set(none) - {"fill"}
    stranger = principal_of_user(make_world("Other", accounts=0).user)
    assert not progress_of(stranger).account
