"""Days, weeks and months of a person's time zone."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from common.clock import zone_named
from common.errors import Invalid
from reports.periods import Span


def span(first: str, last: str, zone: str = "UTC") -> Span:
    """Both dates included."""
    return Span(date.fromisoformat(first), date.fromisoformat(last), ZoneInfo(zone))


def test_days_begin_at_midnight_of_the_zone_and_clock_changes_make_them_longer() -> None:
    days = span("2026-03-28", "2026-03-30", "Europe/Warsaw").periods("day")
    assert [each.label.isoformat() for each in days] == ["2026-03-28", "2026-03-29", "2026-03-30"]
    assert days[0].start == datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert [each.end - each.start for each in days] == [
        timedelta(hours=24), timedelta(hours=23), timedelta(hours=24),
    ]  # fmt: skip
    assert days[0].end == days[1].start


def test_a_zone_of_half_hours() -> None:
    (day,) = span("2026-01-01", "2026-01-01", "Asia/Kathmandu").periods("day")
    assert day.start == datetime(2025, 12, 31, 18, 15, tzinfo=UTC)


def test_weeks_begin_on_monday_and_the_ends_are_parts() -> None:
    weeks = span("2026-01-01", "2026-01-13").periods("week")
    assert [each.label.isoformat() for each in weeks] == ["2026-01-01", "2026-01-05", "2026-01-12"]
    assert weeks[-1].end == datetime(2026, 1, 14, tzinfo=UTC)


def test_months_are_the_calendars() -> None:
    months = span("2025-11-15", "2026-01-31").periods("month")
    assert [each.label.isoformat() for each in months] == ["2025-11-15", "2025-12-01", "2026-01-01"]
    assert months[1].end == months[2].start == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-01-02", "2026-01-01"), ("1999-01-01", "2026-01-01"), ("2020-01-01", "2026-01-01")],
)
def test_a_range_that_is_none_is_refused(first: str, last: str) -> None:
    with pytest.raises(Invalid) as refused:
        span(first, last)
    assert list(refused.value.fields) == ["end_date"]


@pytest.mark.parametrize("name", ["Mars/Base", "", "../../etc/passwd", "/etc/localtime", "a\0b"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        zone_named(name)
    assert list(refused.value.fields) == ["time_zone"]
