"""Days, weeks and months in a time zone, as moments."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from common.errors import Invalid

DAY, WEEK, MONTH = "day", "week", "month"
INTERVALS = (DAY, WEEK, MONTH)
# A day's figures are made from at least one reading per account, so the days are limited.
MAX_DAYS = 1_100
# Years a calendar date may lie in; beyond them a zone's arithmetic leaves what a moment can hold.
FIRST_YEAR, LAST_YEAR = 2009, 2100


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment (included) to a moment (excluded); ``label`` is its first calendar
    date, ``last`` its last."""

    label: date
    last: date
    start: datetime
    end: datetime

    @property
    def is_whole_month(self) -> bool:
        """Whether it is a calendar month from its first day to its last."""
        after = self.last + timedelta(days=1)
        return self.label.day == 1 and after.day == 1 and (after - self.label).days <= 31


@dataclass(frozen=True, slots=True)
class Span:
    """Calendar dates from first to last, both included, in a time zone; raises Invalid."""

    first: date
    last: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        years = self.first.year >= FIRST_YEAR and self.last.year <= LAST_YEAR
        if not years or self.last < self.first:
            raise Invalid(
                "Not a range of dates.",
                fields={"end_date": "must not be before start_date, both from 2009 to 2100"},
            )
        if self.days > MAX_DAYS:
            raise Invalid("The range is too long.", fields={"end_date": f"at most {MAX_DAYS} days"})

    @property
    def start(self) -> datetime:
        """The moment the first date begins."""
        return midnight(self.first, self.zone)

    @property
    def end(self) -> datetime:
        """The moment the last date ends."""
        return midnight(self.last + timedelta(days=1), self.zone)

    @property
    def days(self) -> int:
        """How many dates it has, the first and the last included."""
        return (self.last - self.first).days + 1

    def periods(self, interval: str) -> list[Period]:
        """The span cut into days, ISO weeks or calendar months; the first and the last may be
        parts of one.
        """
        firsts = [next(days) for _, days in groupby(self._dates(), lambda day: _key(day, interval))]
        return [
            Period(
                label,
                following - timedelta(days=1),
                midnight(label, self.zone),
                midnight(following, self.zone),
            )
            for label, following in pairwise([*firsts, self.last + timedelta(days=1)])
        ]

    def _dates(self) -> Iterator[date]:
        for number in range(self.days):
            yield self.first + timedelta(days=number)


def _key(day: date, interval: str) -> tuple[int, ...]:
    if interval == WEEK:
        return tuple(day.isocalendar()[:2])
    return (day.year, day.month) if interval == MONTH else (day.toordinal(),)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a date, also where clocks skip midnight, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(ZoneInfo("UTC"))
