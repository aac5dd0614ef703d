"""Readings of several accounts at different moments, brought onto one line."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, TypeVar

from django.db.models import F, Min, Q

from accounts.models import Account, EquityPoint
from common.clock import now
from common.money import ZERO
from common.returns import Valuation
from trading.models import CashFlow

from .formulas import compounded, linked_returns

Value = TypeVar("Value")
QUARTER = timedelta(seconds=EquityPoint.SECONDS_PER_QUARTER)
# How many gaps one statement looks into.
GAPS_AT_ONCE = 100
# How many quarters one statement asks for.
QUARTERS_AT_ONCE = 5_000


def carried_forward(
    points: Sequence[tuple[int, datetime, Value]],
) -> Iterator[tuple[datetime, list[Value]]]:
    """For each point (account, moment, value), oldest first, the newest value of every account.

    Begins where every account that has points among these has had its first.
    """
    expected = {account_id for account_id, _, _ in points}
    latest: dict[int, Value] = {}
    for account_id, at, value in points:
        latest[account_id] = value
        if len(latest) == len(expected):
            yield at, list(latest.values())


@dataclass(frozen=True, slots=True)
class Mark:
    """What accounts were worth together at a moment, and what happened since the mark before it.

    ``joined`` is the first reading of accounts that had none before; ``growth`` the time-weighted
    return as a fraction.
    """

    at: datetime
    equity: Decimal
    joined: Decimal = ZERO
    deposits: Decimal = ZERO
    withdrawals: Decimal = ZERO
    growth: float = 0.0


@dataclass(slots=True)
class _Tally:
    """The running sum over accounts, with a valuation before all that is brought or taken."""

    latest: dict[int, Decimal] = field(default_factory=dict)
    valuations: list[Valuation] = field(default_factory=list)
    joined: Decimal = ZERO
    deposits: Decimal = ZERO
    withdrawals: Decimal = ZERO

    @property
    def equity(self) -> Decimal:
        return sum(self.latest.values(), ZERO)

    def read(self, account_id: int, equity: Decimal) -> None:
        """A reading; an account's first is capital that joins, no gain."""
        if account_id not in self.latest:
            self.valuations.append(Valuation(self.equity, equity))
            self.joined += equity
        self.latest[account_id] = equity

    def move(self, account_id: int, amount: Decimal) -> None:
        """A deposit or withdrawal; one before the first reading is in that."""
        if account_id not in self.latest:
            return
        self.valuations.append(Valuation(self.equity, amount))
        self.latest[account_id] += amount
        if amount > 0:
            self.deposits += amount
        else:
            self.withdrawals -= amount

    def mark(self, at: datetime) -> Mark:
        """Close the stretch since the mark before."""
        equity = self.equity
        growth = compounded(linked_returns([*self.valuations, Valuation(equity)]))
        mark = Mark(at, equity, self.joined, self.deposits, self.withdrawals, growth)
        self.valuations = [Valuation(equity)]
        self.joined = self.deposits = self.withdrawals = ZERO
        return mark


def marks_of(accounts: Sequence[Account], moments: Sequence[datetime]) -> list[Mark]:
    """A mark for each moment, oldest first, of the accounts' own books; the first has no history.

    A moment's reading is the first of the quarter of an hour that begins there, else the last
    before it; moments to come are now. Where money comes or goes, or an account joins, the others
    are valued at that moment, too. All accounts must be in one currency. The number of statements
    does not grow with the moments.
    """
    moments = _past(moments)
    flows = list(_flows(accounts, moments[-1])) if accounts else []
    events = [*_readings(accounts, moments, flows), *flows] if accounts else []
    events.sort(key=lambda event: event[0])
    tally, marks, number = _Tally(), [], 0
    for moment in moments:
        while number < len(events) and events[number][0] < moment + QUARTER:
            _, act, account_id, amount = events[number]
            act(tally, account_id, amount)
            number += 1
        mark = tally.mark(moment)
        marks.append(mark if marks else Mark(moment, mark.equity))
    return marks


# When, what it does to the tally, of which account, how much.
_Event = tuple[datetime, Callable[[_Tally, int, Decimal], None], int, Decimal]


def _past(moments: Sequence[datetime]) -> list[datetime]:
    """Those that were, and now in the place of all that are to come."""
    moment = now()
    past = [each for each in moments if each < moment]
    return past if len(past) == len(moments) else [*past, moment]


def _own(accounts: Sequence[Account]) -> Any:
    numbers = [account.pk for account in accounts]
    return EquityPoint.objects.filter(account__in=numbers, book=F("account__book"))


def _readings(
    accounts: Sequence[Account], moments: Sequence[datetime], flows: Sequence[_Event]
) -> Iterator[_Event]:
    """The readings that decide the moments and the flows, what lies in their gaps, and the
    newest.
    """
    wanted = _wanted(accounts, sorted({EquityPoint.quarter_of(each) for each in moments}), flows)
    points = _own(accounts).order_by()
    found: dict[int, dict[int, tuple[datetime, Decimal]]] = {each.pk: {} for each in accounts}
    for account_id, quarter, at, equity in _points_of(points, {*chain(*wanted.values())}):
        if quarter in wanted[account_id]:
            found[account_id][quarter] = (at, equity)
    for account in accounts:
        quarters = sorted(wanted[account.pk])
        yield from _before(account, quarters[0])
        for at, equity in found[account.pk].values():
            yield at, _Tally.read, account.pk, equity
        for gaps in _gaps(quarters, found[account.pk]):
            rows = points.filter(gaps, account=account).values_list("at", "equity")
            for at, equity in rows:
                yield at, _Tally.read, account.pk, equity
        if account.equity_at is not None and account.equity_at <= moments[-1]:
            yield account.equity_at, _Tally.read, account.pk, account.equity


def _wanted(
    accounts: Sequence[Account], quarters: Sequence[int], flows: Sequence[_Event]
) -> dict[int, set[int]]:
    """The quarters of an hour in which each account has to be valued: those of the moments and
    those in which another account's capital changes, with the one before, since the reading of a
    quarter may come after the change.
    """
    wanted = {account.pk: set(quarters) for account in accounts}
    if len(accounts) < 2:
        return wanted
    changes = {
        (account_id, EquityPoint.quarter_of(at))
        for at, act, account_id, _ in flows
        if act is _Tally.move
    }
    firsts = _own(accounts).order_by().values_list("account_id").annotate(Min("quarter"))
    changes.update((account_id, first) for account_id, first in firsts if first is not None)
    for changed, quarter in changes:
        if quarters[0] < quarter <= quarters[-1]:
            for account_id in wanted.keys() - {changed}:
                wanted[account_id].update((quarter - 1, quarter))
    return wanted


def _points_of(
    points: Any, quarters: Iterable[int]
) -> Iterator[tuple[int, int, datetime, Decimal]]:
    """The kept readings of these quarters, by as many statements as a database's limit asks for."""
    numbers = sorted(quarters)
    for start in range(0, len(numbers), QUARTERS_AT_ONCE):
        rows = points.filter(quarter__in=numbers[start : start + QUARTERS_AT_ONCE])
        yield from rows.values_list("account_id", "quarter", "at", "equity")


def _before(account: Account, quarter: int) -> Iterator[_Event]:
    """The last reading before a quarter."""
    row = (
        _own([account])
        .filter(quarter__lt=quarter)
        .order_by("-quarter")
        .values_list("at", "equity")
        .first()
    )
    if row is not None:
        yield row[0], _Tally.read, account.pk, row[1]


def _gaps(quarters: Sequence[int], present: Mapping[int, Any]) -> Iterator[Q]:
    """Between which quarters an account has to be looked at because one in question is missing."""
    ranges = []
    for before, quarter in zip(quarters, quarters[1:], strict=False):
        if quarter not in present or before not in present:
            ranges.append((before, quarter))
    merged: list[tuple[int, int]] = []
    for first, last in ranges:
        if merged and merged[-1][1] == first:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    for start in range(0, len(merged), GAPS_AT_ONCE):
        query = Q()
        for first, last in merged[start : start + GAPS_AT_ONCE]:
            query |= Q(quarter__gt=first, quarter__lt=last)
        yield query


def _flows(accounts: Sequence[Account], until: datetime) -> Iterator[_Event]:
    """Deposits and withdrawals in quote currency, each with the reading before it."""
    rows = CashFlow.objects.capital().filter(
        account__in=[account.pk for account in accounts],
        book=F("account__book"),
        executed_at__lt=until + QUARTER,
    )
    columns = ("account_id", "executed_at", "value", "read_at", "equity_before")
    for account_id, at, value, read_at, before in rows.order_by("executed_at").values_list(
        *columns
    ):
        if read_at is not None:
            yield read_at, _Tally.read, account_id, before
        yield at, _Tally.move, account_id, value
