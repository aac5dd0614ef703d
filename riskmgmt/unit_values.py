"""What one unit of a group is worth, and how far below its peak. Pure: old line, new data and the
clock in, new line out.

Deposits and withdrawals are told late (a venue is asked every quarter of an hour), so a fall or a
rise is provisional until they are known up to it. A line keeps the stand where all was known, and
computes what came later anew each time: a withdrawal that is told after its balance takes back the
fall that it looked like.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from common.money import EXACT, ZERO, divided, rounded
from common.returns import ONE, Valuation, ratios

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class EquityReading:
    """What an account was worth when it was read, in quote currency."""

    equity: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Flow:
    """A deposit (positive) or withdrawal in quote currency; ``told_at`` is when it was written,
    ``before`` the account's last reading before it.
    """

    number: int
    account_id: int
    value: Decimal
    at: datetime
    told_at: datetime
    before: EquityReading | None = None


Readings = Mapping[int, EquityReading]


@dataclass(frozen=True, slots=True)
class Stand:
    """The unit value at readings of all accounts; ``at`` is when it was taken or became final."""

    value: Decimal
    at: datetime
    readings: Readings


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest unit value, and when it was."""

    value: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """The unit value of a group from 1 on.

    ``settled`` has all transfers in it; ``waiting`` is the stand that becomes settled next.
    ``risen`` is a peak that a deposit not yet told may explain, and ``counted`` are the numbers of
    the transfers since ``settled``.
    """

    settled: Stand
    latest: Stand
    peak: Peak
    waiting: Stand | None = None
    risen: Peak | None = None
    counted: frozenset[int] = field(default_factory=frozenset)

    @property
    def highest(self) -> Peak:
        """The peak that drawdown is measured from."""
        return self.peak if self.risen is None else self.risen

    @property
    def drawdown(self) -> Decimal:
        """How far below the peak the unit value is, in percent."""
        highest = self.highest.value
        if highest <= 0:
            return ZERO
        return divided((highest - self.latest.value) * HUNDRED, highest)


def begin(readings: Readings, at: datetime) -> Line:
    """A line that starts now: everybody's equity is capital, and the unit is worth 1."""
    stand = Stand(ONE, at, dict(readings))
    return Line(settled=stand, latest=stand, peak=Peak(ONE, at))


def went_on(
    line: Line, readings: Readings, flows: Sequence[Flow], *, known_until: datetime, at: datetime
) -> Line:
    """The line after new readings.

    ``flows`` are at least those since the settled stand; ``known_until`` is up to when the
    transfers of every account are known. An account that joins brings capital and no gain, one that
    leaves takes its capital along.
    """
    if readings.keys() != line.latest.readings.keys():
        return _with_others(line, readings, flows, at)
    value = _grown(line.settled, readings, flows)
    latest = Stand(value, at, dict(readings))
    numbers = frozenset(flow.number for flow in flows if _is_between(flow, line.settled, readings))
    risen = _risen(line if numbers <= line.counted else replace(line, risen=None), value, at)
    line = replace(
        line, latest=latest, risen=risen, counted=numbers, waiting=line.waiting or latest
    )
    return _settled(line, flows, at) if known_until >= _taken(line) else line


def _with_others(line: Line, readings: Readings, flows: Sequence[Flow], at: datetime) -> Line:
    """Goes on from the last stand, by what those who stayed did since."""
    stand = Stand(_grown(line.latest, readings, flows), at, dict(readings))
    return Line(settled=stand, latest=stand, peak=line.peak, risen=_risen(line, stand.value, at))


def _risen(line: Line, value: Decimal, at: datetime) -> Peak | None:
    return Peak(value, at) if value > line.highest.value else line.risen


def _taken(line: Line) -> datetime:
    return (line.waiting or line.latest).at


def _settled(line: Line, flows: Sequence[Flow], at: datetime) -> Line:
    """All transfers up to the waiting stand are known: it is final, and so are peaks up to it."""
    waiting = line.waiting or line.latest
    value = _grown(line.settled, waiting.readings, flows)
    peaks = [line.peak, Peak(value, waiting.at)]
    risen = line.risen
    if risen is not None and risen.at <= waiting.at:
        peaks.append(risen)
        risen = None
    peak = max(peaks, key=lambda each: each.value)
    settled = Stand(value, at, waiting.readings)
    counted = frozenset(
        flow.number for flow in flows if _is_between(flow, settled, line.latest.readings)
    )
    next_one = None if waiting is line.latest else line.latest
    return replace(
        line,
        settled=settled,
        peak=peak,
        risen=risen if risen is not None and risen.value > peak.value else None,
        waiting=next_one,
        counted=counted,
    )


def _is_between(flow: Flow, start: Stand, end: Readings) -> bool:
    """Whether a transfer is in the end's readings and was not in the start's, as far as known
    there.
    """
    first, last = start.readings.get(flow.account_id), end.get(flow.account_id)
    if first is None or last is None:
        return False
    return flow.at <= last.at and (flow.at > first.at or flow.told_at > start.at)


def _grown(start: Stand, end: Readings, flows: Sequence[Flow]) -> Decimal:
    """The unit value at the end's readings, by the accounts that are in both: equity is taken
    before each deposit and withdrawal.
    """
    worth = {key: start.readings[key].equity for key in start.readings if key in end}
    valuations = [Valuation(sum(worth.values(), ZERO))]
    between = [flow for flow in flows if _is_between(flow, start, end)]
    for flow in sorted(between, key=lambda each: (each.at, each.number)):
        key, before = flow.account_id, flow.before
        if before is not None and before.at > start.readings[key].at:
            worth[key] = before.equity
        valuations.append(Valuation(sum(worth.values(), ZERO), flow.value))
        worth[key] += flow.value
    valuations.append(Valuation(sum((end[key].equity for key in worth), ZERO)))
    value = start.value
    for ratio in ratios(valuations):
        value = EXACT.multiply(value, ratio)
    return rounded(value)
