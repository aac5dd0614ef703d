"""A person's own settings: times in the own zone, totals in the own currency, never a guess."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account
from common.clock import now
from events.log import audit
from events.models import AuditRecord
from marketdata.models import LastPrice, PriceWish
from surfaces.dashboard import figures
from surfaces.dashboard.access import visitor_of_session_key
from tests.console.test_console_actions import act
from tests.dashboard.world import World, make_account, make_deal, make_order, make_position
from trading.models import Deal
from users.models import User

SETTINGS = "/dashboard/settings/"
# In Warsaw the new day began half an hour ago.
MOMENT = datetime(2026, 3, 9, 23, 30, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _zone_of_nobody() -> Iterator[None]:
    yield
    timezone.deactivate()


def save(client: Client, zone: str = "UTC", currency: str = "") -> Any:
    """Send the form."""
    return client.post(SETTINGS, {"time_zone": zone, "display_currency": currency})


def price(symbol: str, value: str, *, seconds: int = 0, venue: str = "rehearsal") -> None:
    """A stored price of so many seconds ago, asked for again anew."""
    LastPrice.objects.update_or_create(
        venue=venue,
        symbol=symbol,
        defaults={"price": Decimal(value), "at": now() - timedelta(seconds=seconds)},
    )
    cache.clear()


def test_settings_are_kept_told_and_audited(browser_client: Client, world: World) -> None:
    assert b"times in UTC" in browser_client.get(SETTINGS).content
    assert save(browser_client, "Europe/Warsaw", " eur ").status_code == 302
    user = User.objects.get(pk=world.user.pk)
    assert (user.time_zone, user.display_currency) == ("Europe/Warsaw", "EUR")
    text = browser_client.get(SETTINGS).content.decode()
    assert "times in Europe/Warsaw" in text
    assert 'data-zone="Europe/Warsaw"' in text
    record = AuditRecord.objects.get(action="user.preferences_changed")
    assert record.before == {"time_zone": "UTC", "display_currency": ""}
    assert record.after == {"time_zone": "Europe/Warsaw", "display_currency": "EUR"}
    save(browser_client, "Europe/Warsaw", "EUR")
    assert AuditRecord.objects.filter(action="user.preferences_changed").count() == 1


@pytest.mark.parametrize(
    ("zone", "currency", "fault"),
    [
        ("Mars/Olympus", "EUR", "IANA name"),
        ("", "EUR", "IANA name"),
        ("../etc/passwd", "EUR", "IANA name"),
        ("UTC", "E", "must be a code"),
        ("UTC", "EUR;--", "must be a code"),
        ("UTC", "EUROEUROEURO", "must be a code"),
    ],
)
def test_what_is_no_zone_or_currency_changes_nothing(
    zone: str, currency: str, fault: str, browser_client: Client, world: World
) -> None:
    answer = save(browser_client, zone, currency)
    assert (answer.status_code, fault in answer.content.decode()) == (422, True)
    user = User.objects.get(pk=world.user.pk)
    assert (user.time_zone, user.display_currency) == ("UTC", "")


def test_times_are_shown_in_the_persons_zone(browser_client: Client, world: World) -> None:
    Account.objects.update(synced_at=datetime(2026, 7, 1, 22, 15, 5, tzinfo=UTC))
    page = reverse("dashboard:accounts")
    assert 'title="read 2026-07-01 22:15:05 UTC"' in browser_client.get(page).content.decode()
    save(browser_client, "Europe/Warsaw")
    text = browser_client.get(page).content.decode()
    assert 'title="read 2026-07-02 00:15:05 CEST, 22:15:05 UTC"' in text
    assert "stale since 00:15:05 CEST" in text
    visitor = visitor_of_session_key(browser_client.session.session_key)
    assert visitor is not None
    assert visitor.zone.key == "Europe/Warsaw"


def test_one_persons_zone_is_not_the_next_ones(
    browser_client: Client, world: World, foreign: World
) -> None:
    save(browser_client, "Asia/Tokyo")
    assert b"times in Asia/Tokyo" in browser_client.get(SETTINGS).content
    other = Client()
    other.force_login(foreign.user)
    assert b"times in UTC" in other.get(SETTINGS).content
    browser_client.get(SETTINGS)
    assert b'data-zone="UTC"' in Client().get(reverse("dashboard:login")).content


def test_today_begins_at_the_persons_midnight(browser_client: Client, world: World) -> None:
    account = make_account(world, "today")
    Deal.objects.update(executed_at=MOMENT - timedelta(days=9))
    with time_machine.travel(MOMENT, tick=False):
        order = make_order(account)
        for hours in (0, 1):
            deal = make_deal(order, make_position(account, f"D{hours}/USDT"))
            Deal.objects.filter(pk=deal.pk).update(executed_at=MOMENT - timedelta(hours=hours))
        principal = browser_client_principal(browser_client)
        for zone, midnight, booked in (
            ("UTC", datetime(2026, 3, 9, tzinfo=UTC), Decimal("23.76")),
            ("Europe/Warsaw", datetime(2026, 3, 9, 23, tzinfo=UTC), Decimal("11.88")),
        ):
            with timezone.override(zone):
                assert figures.start_of_day() == midnight
                (total,) = figures.book_totals(principal)
            assert total.booked == booked


def test_the_console_speaks_in_the_persons_zone_and_its_exports_in_utc(
    browser_client: Client, world: World
) -> None:
    Account.objects.update(created_at=datetime(2026, 7, 1, 22, 15, 5, tzinfo=UTC))
    page = reverse("admin:accounts_account_change", args=[world.accounts[0].pk])
    assert "July 1, 2026, 10:15 p.m." in browser_client.get(page).content.decode()
    save(browser_client, "Europe/Warsaw")
    text = browser_client.get(page).content.decode()
    assert "July 2, 2026, 12:15 a.m." in text
    assert "Times in Europe/Warsaw" in text
    shown, _ = act(browser_client, "accounts_account", "suspend_accounts", world.accounts)
    assert "Times in Europe/Warsaw" in shown.content.decode()
    Deal.objects.update(executed_at=datetime(2026, 7, 1, 22, 15, 5, tzinfo=UTC))
    page = reverse("admin:trading_deal_export")
    file = browser_client.post(page, {"format": "0", "resource": "0"})
    assert "2026-07-01 22:15:05" in file.content.decode()


def test_days_of_a_console_filter_are_the_persons(browser_client: Client, world: World) -> None:
    with time_machine.travel(MOMENT, tick=False):
        audit(None, "test.act", actor="night-owl", organisation_id=world.organisation.pk)
    page = reverse("admin:events_auditrecord_changelist")

    def found(day: str) -> bool:
        query = {"created_at_from": day, "created_at_to": day}
        return "night-owl" in browser_client.get(page, query).content.decode()

    assert (found("2026-03-09"), found("2026-03-10")) == (True, False)
    save(browser_client, "Europe/Warsaw")
    assert (found("2026-03-09"), found("2026-03-10")) == (False, True)


def test_a_total_is_shown_in_the_display_currency_where_a_rate_is_known(
    browser_client: Client, world: World, django_capture_on_commit_callbacks: Any
) -> None:
    Account.objects.update(equity=Decimal("1234.5"))
    save(browser_client, "UTC", "EUR")
    page = reverse("dashboard:overview")
    LastPrice.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        text = browser_client.get(page).content.decode()
    assert "No rate from USDT to EUR is known." in text
    assert PriceWish.objects.filter(venue="rehearsal", symbol="EUR/USDT").exists()
    price("EUR/USDT", "1.25")
    text = browser_client.get(page).content.decode()
    assert 'data-exact="1975.2"' in text
    assert "by EUR/USDT at rehearsal" in text
    price("EUR/USDT", "1.25", seconds=601)
    text = browser_client.get(page).content.decode()
    assert "No rate from USDT to EUR is known." in text
    assert "1975.2" not in text
    price("EUR/USDT", "1.25", venue="binance")
    assert "No rate from USDT to EUR" in browser_client.get(page).content.decode()


def test_a_book_of_several_currencies_has_a_sum_only_when_all_rates_are_known(
    browser_client: Client, world: World
) -> None:
    Account.objects.update(equity=Decimal(1000))
    Account.objects.filter(pk=world.accounts[0].pk).update(quote_currency="BTC", equity=Decimal(2))
    LastPrice.objects.all().delete()
    price("EUR/USDT", "1.25")
    principal = browser_client_principal(browser_client)
    totals = figures.book_totals(principal)
    (found,) = figures.converted(totals, "EUR")
    assert (found.equity, found.missing) == (None, ("BTC",))
    price("BTC/USDT", "50000")
    (found,) = figures.converted(figures.book_totals(principal), "EUR")
    assert (found.equity, found.missing, found.currencies) == (
        Decimal(80800),
        (),
        ("BTC", "USDT"),
    )
    (found,) = figures.converted(figures.book_totals(principal), "USD")
    assert found.equity == Decimal(101000)
    assert figures.converted(totals, "") == []


def browser_client_principal(client: Client) -> Any:
    """Who is signed in there."""
    visitor = visitor_of_session_key(client.session.session_key)
    assert visitor is not None
    return visitor.principal
