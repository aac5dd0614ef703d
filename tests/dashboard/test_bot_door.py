"""The page of a bot's alert door: renewing, retiring, certificate, addresses."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from bots.models import Bot, PreviousSecret
from common.clock import now
from common.ids import digest
from events.models import AuditRecord
from surfaces.webhook_address import TRADINGVIEW_ADDRESSES
from tests.dashboard.test_bots import page_of
from tests.dashboard.world import MARKER_HMAC, World
from webhooks.models import Signal

CHOSEN = "a chosen secret of length"


def shown_secret(text: str, name: str) -> str:
    """The secret that a page shows this once."""
    found = re.search(rf'<pre id="{name}">(.*?)</pre>', text)
    assert found is not None
    return found[1]


def test_a_secret_is_renewed_shown_once_and_the_one_before_retired(
    browser_client: Client, world: World
) -> None:
    address = reverse("dashboard:bot_secret", args=[world.bot.pk, "hmac"])
    answer = browser_client.post(address, {"grace_seconds": "3600"})
    assert answer.headers["Cache-Control"] == "no-store"
    new = shown_secret(answer.content.decode(), "hmac")
    world.bot.refresh_from_db()
    assert world.bot.open_hmac_secret() == new != MARKER_HMAC
    previous = PreviousSecret.objects.get()
    assert previous.open_hmac_secret() == MARKER_HMAC
    assert previous.accepted_until - previous.replaced_at == timedelta(hours=1)
    for name in ("bot", "bot_door"):
        text = page_of(browser_client, name, world.bot.pk)
        assert "accepted until" in text
        assert "never since it was renewed" in text
        assert new not in text
        assert MARKER_HMAC not in text
    PreviousSecret.objects.update(last_used_at=now() - timedelta(hours=2))
    assert "2 h ago" in page_of(browser_client, "bot", world.bot.pk)
    assert "is refused at once" in page_of(browser_client, "bot_secret", world.bot.pk, "hmac")
    retire = reverse("dashboard:bot_retire", args=[world.bot.pk, "hmac"])
    assert browser_client.get(retire).status_code == 405
    assert browser_client.post(retire).status_code == 302
    assert not PreviousSecret.objects.get().is_accepted
    assert "The one before is refused since" in page_of(browser_client, "bot_door", world.bot.pk)
    assert new not in str(list(AuditRecord.objects.values()))


def test_a_secret_in_the_message_is_added_chosen_or_made(
    browser_client: Client, world: World
) -> None:
    address = reverse("dashboard:bot_secret", args=[world.bot.pk, "secret"])
    refused = browser_client.post(address, {"body_secret": "short"})
    assert (refused.status_code, b"weak_secret" in refused.content) == (422, True)
    assert b"short" not in refused.content
    text = browser_client.post(address, {"body_secret": CHOSEN}).content.decode()
    assert shown_secret(text, "body-secret") == CHOSEN
    assert Bot.objects.get().body_secret_hash == digest(CHOSEN)
    assert not PreviousSecret.objects.exists()
    made = browser_client.post(address, {"grace_seconds": "0"}).content.decode()
    assert Bot.objects.get().body_secret_hash == digest(shown_secret(made, "body-secret"))


@pytest.mark.parametrize("grace", ["", "5", "2592001", "x"])
def test_a_time_that_was_not_offered_changes_nothing(
    browser_client: Client, world: World, grace: str
) -> None:
    address = reverse("dashboard:bot_secret", args=[world.bot.pk, "hmac"])
    assert browser_client.post(address, {"grace_seconds": grace}).status_code == 422
    assert Bot.objects.get().open_hmac_secret() == MARKER_HMAC
    assert not PreviousSecret.objects.exists()


def test_a_kind_that_there_is_not_is_not_found(browser_client: Client, world: World) -> None:
    for name in ("bot_secret", "bot_retire"):
        for kind in ("mtls", "nothing"):
            address = reverse(f"dashboard:{name}", args=[world.bot.pk, kind])
            assert browser_client.post(address).status_code == 404


def test_certificate_and_addresses_are_replaced(
    browser_client: Client, world: World, settings: Any
) -> None:
    address = reverse("dashboard:bot_door", args=[world.bot.pk])
    form = {
        "certificate_subject": "TradingView Webhooks",
        "allowed_addresses": "192.0.2.7,198.51.100.0/24\r\n2001:DB8::/32\r\n",
    }
    assert browser_client.post(address, form).status_code == 302
    bot = Bot.objects.get()
    assert bot.certificate_subject == "TradingView Webhooks"
    assert bot.allowed_addresses == ["192.0.2.7", "198.51.100.0/24", "2001:db8::/32"]
    shown = page_of(browser_client, "bot", bot.pk)
    assert "the certificate of <em>TradingView Webhooks</em>" in shown
    assert "<code>198.51.100.0/24</code>" in shown
    refused = browser_client.post(address, {**form, "allowed_addresses": "192.0.2.7/8"})
    assert (refused.status_code, b"192.0.2.7/8" in refused.content) == (422, True)
    assert Bot.objects.get().allowed_addresses == bot.allowed_addresses
    assert "WEBHOOK_CLIENT_CERT_HEADER" in page_of(browser_client, "bot_door", bot.pk)
    settings.WEBHOOK_CLIENT_CERT_HEADER = "X-Client-Cert-Subject"
    assert "WEBHOOK_CLIENT_CERT_HEADER" not in page_of(browser_client, "bot_door", bot.pk)


def test_what_tradingview_publishes_is_filled_in_and_not_saved(
    browser_client: Client, world: World
) -> None:
    plain = page_of(browser_client, "bot_door", world.bot.pk)
    filled = page_of(browser_client, "bot_door", world.bot.pk, fill="addresses")
    for each in TRADINGVIEW_ADDRESSES:
        assert each not in plain
        assert each in filled
    name = 'value="TradingView Webhooks"'
    assert name not in filled
    assert name in page_of(browser_client, "bot_door", world.bot.pk, fill="certificate")
    assert Bot.objects.get().allowed_addresses == []


def test_a_signal_by_a_renewed_secret_says_so(browser_client: Client, world: World) -> None:
    signal = Signal.objects.get()
    words = "by a secret that has been renewed"
    assert words not in page_of(browser_client, "signal", signal.correlation_id)
    Signal.objects.update(used_previous_secret=True)
    assert words in page_of(browser_client, "signal", signal.correlation_id)


def test_who_may_not_manage_sees_and_changes_nothing(world: World) -> None:
    world.user.role = "trader"
    world.user.save()
    client = Client()
    client.force_login(world.user)
    assert "Alert door…" not in page_of(client, "bot", world.bot.pk)
    assert client.get(reverse("dashboard:bot_door", args=[world.bot.pk])).status_code == 403
    for name in ("bot_secret", "bot_retire"):
        address = reverse(f"dashboard:{name}", args=[world.bot.pk, "hmac"])
        assert client.post(address, {"grace_seconds": "0"}).status_code == 403
    assert Bot.objects.get().open_hmac_secret() == MARKER_HMAC
    assert not PreviousSecret.objects.exists()


def test_a_foreign_bot_is_not_found(browser_client: Client, world: World, foreign: World) -> None:
    for name in ("bot_secret", "bot_retire"):
        address = reverse(f"dashboard:{name}", args=[foreign.bot.pk, "hmac"])
        assert browser_client.post(address, {"grace_seconds": "0"}).status_code == 404
    assert not PreviousSecret.objects.exists()
