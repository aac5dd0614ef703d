"""What accounts were worth at moments: gaps, money that comes and goes, accounts that join."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from reports.equity import marks_of
from reports.periods import Span
from reports.track_records import track_record, track_records
from tests.users.people import Person, new_account

from .conftest import write_flow, write_readings

START = datetime(2025, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    """A moment so many hours after the start."""
    return START + timedelta(hours=hours)


def amounts(*pairs: tuple[float, int]) -> list[tuple[datetime, Decimal]]:
    """Readings from hours and whole amounts."""
    return [(at(hours), Decimal(equity)) for hours, equity in pairs]


def test_the_reading_of_a_moment_is_the_first_after_it_else_the_last_before(
    account: Account,
) -> None:
    write_readings(account, amounts((0, 100), (1.01, 110), (1.3, 120), (4, 90)))
    marks = marks_of([account], [at(0), at(1), at(2), at(3), at(4)])
    assert [int(mark.equity) for mark in marks] == [100, 110, 120, 120, 90]
    assert [mark.growth for mark in marks] == pytest.approx([0, 0.1, 12 / 11 - 1, 0, -0.25])


def test_what_came_before_is_looked_for_once(account: Account) -> None:
    write_readings(account, amounts((-50, 100), (3, 110)))
    marks = marks_of([account], [at(0), at(1), at(5)])
    assert [int(mark.equity) for mark in marks] == [100, 100, 110]
    assert marks[0].growth == 0.0


def test_two_transfers_after_one_reading(account: Account) -> None:
    write_readings(account, amounts((0, 100), (1, 150)))
    for minutes, value in ((20, 500), (30, -450)):
        write_flow(
            account,
            START + timedelta(minutes=minutes),
            Decimal(value),
            before=(START, Decimal(100)),
        )
    (_, mark) = marks_of([account], [at(0), at(1)])
    assert (mark.deposits, mark.withdrawals, mark.growth) == (500, 450, 0.0)


def test_a_deposit_in_the_quarter_of_a_boundary_is_no_gain(account: Account) -> None:
    # It arrives five seconds after midnight, the reading ten seconds after has it already.
    write_readings(account, amounts((0, 100), (24, 1100), (48, 1210)))
    account_points = [(at(24) - timedelta(seconds=20), Decimal(100))]
    write_flow(account, at(24) - timedelta(seconds=5), Decimal(1000), before=account_points[0])
    marks = marks_of([account], [at(0), at(24), at(48)])
    assert [mark.growth for mark in marks] == pytest.approx([0.0, 0.0, 0.1])


def test_an_account_that_joins_brings_capital_and_no_gain(account: Account, admin: Person) -> None:
    other = new_account(admin, "two")
    write_readings(account, amounts((0, 100), (24, 110), (48, 110)))
    write_readings(other, amounts((30, 1000), (48, 1120)))
    marks = marks_of([account, other], [at(0), at(24), at(48)])
    assert [(int(mark.equity), int(mark.joined)) for mark in marks] == [
        (100, 0), (110, 0), (1230, 1000),
    ]  # fmt: skip
    assert marks[2].growth == pytest.approx(1230 / 1110 - 1)


def test_books_and_currencies_are_not_mixed(account: Account, admin: Person) -> None:
    other, third = new_account(admin, "two"), new_account(admin, "three")
    Account.objects.filter(pk=third.pk).update(quote_currency="EUR")
    write_readings(account, amounts((0, 100), (24, 110)))
    write_readings(other, amounts((0, 100), (24, 130)))
    write_readings(third, amounts((0, 7), (24, 7)))
    span = Span(date(2025, 5, 1), date(2025, 5, 1), ZoneInfo("UTC"))
    dollars, euros = track_records(Account.objects.order_by("pk"), span)
    assert (dollars.currency, len(dollars.accounts)) == ("USDT", 2)
    assert dollars.whole.growth == pytest.approx(0.2)
    assert (euros.currency, euros.whole.closing_equity) == ("EUR", Decimal(7))


def test_a_short_span_sees_the_fall_within_a_day(account: Account) -> None:
    write_readings(account, amounts((0, 100), (6, 150), (12, 75), (24, 120)))
    span = Span(date(2025, 5, 1), date(2025, 5, 1), ZoneInfo("UTC"))
    figures = track_record([account], span).whole
    assert figures.max_drawdown == pytest.approx(0.5)
    assert figures.growth == pytest.approx(0.2)


def test_today_is_counted_up_to_now_and_risk_from_days_that_ended(account: Account) -> None:
    write_readings(account, amounts((0, 100), (24, 110), (48, 99), (50, 120)))
    with time_machine.travel(at(50) + timedelta(minutes=20), tick=False):
        span = Span(date(2025, 5, 1), date(2025, 5, 4), ZoneInfo("UTC"))
        record = track_record([account], span)
        assert record.whole.growth == pytest.approx(0.2)
        assert record.whole.volatility == pytest.approx(0.1 * 2**0.5 * 365**0.5)
        assert [row.growth for row in record.history("day")] == pytest.approx(
            [0.1, -0.1, 120 / 99 - 1]
        )


def test_an_account_without_readings_has_nothing_to_tell(account: Account) -> None:
    span = Span(date(2025, 5, 1), date(2025, 5, 3), ZoneInfo("UTC"))
    figures = track_record([account], span).whole
    assert (figures.closing_equity, figures.growth, figures.sharpe_ratio) == (0, 0.0, None)
    assert figures.booked.win_rate is None


def test_statements_do_not_grow_with_the_days(account: Account) -> None:
    write_readings(account, [(at(hours), Decimal(100)) for hours in range(24 * 60)])

    def cost(days: int) -> int:
        span = Span(date(2025, 5, 1), date(2025, 5, 1) + timedelta(days=days), ZoneInfo("UTC"))
        with CaptureQueriesContext(connection) as seen:
            track_record([account], span).history("day")
        return len(seen)

    assert cost(3) == cost(50)


def test_money_that_comes_to_one_account_leaves_what_the_other_gained_before(
    account: Account, admin: Person
) -> None:
    other = new_account(admin, "two")
    write_readings(account, amounts((0, 1000), (12, 1100), (24, 1100)))
    write_readings(other, amounts((0, 1000), (12, 1000), (24, 1_001_000)))
    before = (at(12) + timedelta(minutes=5), Decimal(1000))
    write_flow(other, at(12) + timedelta(minutes=6), Decimal(1_000_000), before=before)
    marks = marks_of([account, other], [at(0), at(24)])
    assert marks[1].growth == pytest.approx(0.05)
    assert (marks[1].deposits, marks[1].equity) == (1_000_000, 1_002_100)


def test_money_that_goes_counts_nothing_before_it_twice(account: Account, admin: Person) -> None:
    other = new_account(admin, "two")
    # Nothing was read of the first for hours before the withdrawal, and the reading of the
    # withdrawal's own quarter comes after it.
    write_readings(account, amounts((0, 1000), (9, 1100), (12.2, 1210), (24, 1210)))
    write_readings(other, amounts((0, 1000), (12, 1000), (24, 10)))
    before = (at(12) + timedelta(minutes=1), Decimal(1000))
    write_flow(other, at(12) + timedelta(minutes=2), Decimal(-990), before=before)
    marks = marks_of([account, other], [at(0), at(24)])
    assert marks[1].growth == pytest.approx(2100 / 2000 * 1220 / 1110 - 1)


def test_an_account_that_joins_meets_the_others_as_they_are_then(
    account: Account, admin: Person
) -> None:
    other = new_account(admin, "two")
    write_readings(account, amounts((0, 1000), (6, 1100), (24, 1100)))
    write_readings(other, amounts((6.1, 1_000_000), (24, 1_000_000)))
    marks = marks_of([account, other], [at(0), at(24)])
    assert marks[1].growth == pytest.approx(0.1)
