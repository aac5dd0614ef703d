"""How accounts, groups and bots did over some days: equity, returns, risk and booked results."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import dropwhile

from accounts.books import counted_currency
from accounts.models import Account
from common.clock import now
from common.money import ZERO
from trading.models import Position

from .booked import Booked, booked_by_day, together
from .equity import Mark, marks_of
from .formulas import (
    compounded,
    drawdowns,
    max_drawdown,
    sharpe_ratio,
    sortino_ratio,
    volatility,
)
from .periods import DAY, Period, Span, midnight
from .positions import priced

# Up to so many days drawdowns are measured from hour to hour, beyond from day to day.
HOURLY_DAYS = 31


@dataclass(frozen=True, slots=True)
class Figures:
    """One period. Ratios are fractions (0.05 is 5 %), None where undefined; ``starting_equity``
    includes accounts that joined within the period.
    """

    period: Period
    starting_equity: Decimal
    closing_equity: Decimal
    deposits: Decimal
    withdrawals: Decimal
    growth: float
    max_drawdown: float
    volatility: float | None
    sharpe_ratio: float | None
    sortino_ratio: float | None
    booked: Booked


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a drawn record: what the accounts were worth; by how much, as fractions, the
    value has grown since the first point and how far it stands below its peak since then.
    """

    at: datetime
    equity: Decimal
    growth: float
    drawdown: float


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """Accounts of one book and currency over a span. ``marks`` are hourly or daily."""

    accounts: Sequence[Account]
    span: Span
    marks: Sequence[Mark]
    booked: dict[date, Booked]
    owner: int | None = None

    @property
    def book(self) -> str:
        """The accounts' book."""
        return str(self.accounts[0].book) if self.accounts else ""

    @property
    def currency(self) -> str:
        """What money is in; dollars of several kinds are counted one to one."""
        return currency_of(self.accounts)

    @property
    def whole(self) -> Figures:
        """The span as one period."""
        return self._figures(
            Period(self.span.first, self.span.last, self.span.start, self.span.end)
        )

    def history(self, interval: str) -> list[Figures]:
        """By day, week or month, those to come left out."""
        return [
            self._figures(period) for period in self.span.periods(interval) if period.start < now()
        ]

    @property
    def line(self) -> list[Point]:
        """The record as it is drawn, the oldest first, from when there was something: mark by
        mark; of an owner day by day, by what it booked.
        """
        if self.owner is None:
            there = dropwhile(lambda mark: not mark.equity, self.marks)
            steps = [(mark.at, mark.equity, mark.growth) for mark in there]
        else:
            days = self._daily(self._days(self.marks))
            steps = [(marks[-1].at, marks[-1].equity, gain) for marks, gain in days]
        below = drawdowns(gain for _, _, gain in steps)
        value, found = 1.0, []
        for (at, equity, gain), fall in zip(steps, below, strict=True):
            value *= 1.0 + gain
            found.append(Point(at, equity, value - 1.0, fall))
        return found

    def _figures(self, period: Period) -> Figures:
        marks = self._marks_within(period.start, period.end)
        start = self._equity_at(period.start)
        days = self._days(marks)
        returns = self._returns(days) if self.owner is not None else [m.growth for m in marks]
        daily = self._returns({day: of_day for day, of_day in days.items() if day < self._today()})
        return Figures(
            period=period,
            starting_equity=start + _sum(mark.joined for mark in marks),
            closing_equity=marks[-1].equity if marks else start,
            deposits=_sum(mark.deposits for mark in marks),
            withdrawals=_sum(mark.withdrawals for mark in marks),
            growth=compounded(returns),
            max_drawdown=max_drawdown(returns),
            volatility=volatility(daily),
            sharpe_ratio=sharpe_ratio(daily),
            sortino_ratio=sortino_ratio(daily),
            booked=together(
                part
                for day, part in sorted(self.booked.items())
                if period.label <= day <= period.last
            ),
        )

    def _days(self, marks: Sequence[Mark]) -> dict[date, list[Mark]]:
        """The marks by the calendar date that ends with or contains them."""
        days: dict[date, list[Mark]] = defaultdict(list)
        for mark in marks:
            days[self._date(mark.at)].append(mark)
        return days

    def _returns(self, days: dict[date, list[Mark]]) -> list[float]:
        return [gain for _, gain in self._daily(days)]

    def _daily(self, days: dict[date, list[Mark]]) -> Iterator[tuple[list[Mark], float]]:
        """The marks and the return of each day that had capital: of the accounts, or what the owner
        booked over what they were worth when the day began.
        """
        for day, marks in days.items():
            joined = _sum(mark.joined for mark in marks)
            capital = self._equity_at(midnight(day, self.span.zone)) + joined
            if capital <= 0:
                continue
            if self.owner is None:
                yield marks, compounded(mark.growth for mark in marks)
            else:
                yield marks, float(self.booked.get(day, Booked()).net / capital)

    def _date(self, moment: datetime) -> date:
        return (moment - timedelta(microseconds=1)).astimezone(self.span.zone).date()

    def _today(self) -> date:
        return now().astimezone(self.span.zone).date()

    def _marks_within(self, start: datetime, end: datetime) -> Sequence[Mark]:
        """Those after the start up to the end."""
        first, last = (bisect_right(self.marks, each, key=_moment) for each in (start, end))
        return self.marks[first:last]

    def _equity_at(self, moment: datetime) -> Decimal:
        number = bisect_right(self.marks, moment, key=_moment)
        return self.marks[number - 1].equity if number else ZERO


def _moment(mark: Mark) -> datetime:
    return mark.at


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def track_record(
    accounts: Sequence[Account], span: Span, *, owner: int | None = None
) -> TrackRecord:
    """Of accounts in one book and currency; ``owner`` asks for one owner's part in them, for which
    capital is what the accounts are worth.
    """
    return TrackRecord(
        accounts=accounts,
        span=span,
        marks=marks_of(accounts, _moments(span, is_daily=owner is not None)),
        booked=booked_by_day(accounts, span, owner=owner),
        owner=owner,
    )


def track_records(
    accounts: Iterable[Account], span: Span, *, owner: int | None = None
) -> list[TrackRecord]:
    """One for each of :func:`parts_of` the accounts."""
    return [track_record(members, span, owner=owner) for members in parts_of(accounts)]


def parts_of(accounts: Iterable[Account]) -> list[list[Account]]:
    """Books and currencies apart, the one with the most accounts first; dollars count as one."""
    parts: dict[tuple[str, str], list[Account]] = defaultdict(list)
    for account in accounts:
        parts[account.book, counted_currency(account)].append(account)
    ordered = sorted(parts.items(), key=lambda item: (-len(item[1]), item[0]))
    return [members for _, members in ordered]


def currency_of(accounts: Iterable[Account]) -> str:
    """What the money of one part is in; dollars of several kinds are USD."""
    names = {account.quote_currency for account in accounts}
    return names.pop() if len(names) == 1 else "USD" if names else ""


def unrealised_of(accounts: Sequence[Account]) -> Decimal | None:
    """What the open positions would bring now before fees, None where a price is missing."""
    rows = Position.objects.open().in_own_book().filter(account__in=[each.pk for each in accounts])
    gains = [row.unrealised for row in priced(rows.select_related("account"))]
    return None if None in gains else _sum(gains)


def _moments(span: Span, *, is_daily: bool) -> list[datetime]:
    """The beginnings of the days, of their hours where the span is short, and the end."""
    days = span.periods(DAY)
    if is_daily or len(days) > HOURLY_DAYS:
        return [*(day.start for day in days), span.end]
    found = []
    for day in days:
        moment = day.start
        while moment < day.end:
            found.append(moment)
            moment += timedelta(hours=1)
    return [*found, span.end]
