"""Results as they were booked: of deals, closed trades and funding, by day of a time zone.

Money is in the accounts' quote currency, which must be one. ``docs/performance-figures.md`` tells
which rows count where.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, F
from django.db.models.functions import TruncDate

from accounts.models import Account
from common.money import EXACT, ZERO, ExactSum, multiplied
from trading.models import CashFlow, Deal, Lot, Position

from .formulas import profit_factor, win_rate
from .periods import Span


@dataclass(slots=True)
class Booked:
    """What some days booked. ``realised`` is before fees; ``fees`` and ``funding`` are costs when
    positive; ``nets`` are the results of closed trades after fees, ``value`` what they cost to
    enter.
    """

    deals: int = 0
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    value: Decimal = ZERO
    nets: list[Decimal] = field(default_factory=list)

    @property
    def net(self) -> Decimal:
        """Realised less fees and funding."""
        return EXACT.subtract(EXACT.subtract(self.realised, self.fees), self.funding)

    @property
    def closed(self) -> int:
        """Closed trades."""
        return len(self.nets)

    @property
    def won(self) -> int:
        """Closed trades that earned more than their fees."""
        return sum(each > 0 for each in self.nets)

    @property
    def win_rate(self) -> float | None:
        """In percent of the closed trades."""
        return win_rate(self.nets)

    @property
    def profit_factor(self) -> float | None:
        """Gains over losses of the closed trades."""
        return profit_factor(self.nets)


def together(parts: Iterable[Booked]) -> Booked:
    """Several days as one."""
    whole = Booked()
    for part in parts:
        whole.deals += part.deals
        for name in ("realised", "fees", "funding", "value"):
            setattr(whole, name, EXACT.add(getattr(whole, name), getattr(part, name)))
        whole.nets += part.nets
    return whole


def booked_by_day(
    accounts: Sequence[Account], span: Span, *, owner: int | None = None
) -> dict[date, Booked]:
    """By calendar date of the span's zone, days without any left out, in the accounts' own books.

    ``owner`` asks for one owner's deals and lots alone; funding belongs to no owner. Three
    statements.
    """
    numbers = [account.pk for account in accounts]
    days: dict[date, Booked] = defaultdict(Booked)
    _add_deals(days, numbers, span, owner)
    if owner is None:
        _add_funding(days, numbers, span)
        _add_positions(days, numbers, span)
    else:
        _add_lots(days, numbers, span, owner)
    return dict(days)


def _within(rows: Any, numbers: Sequence[int], span: Span, column: str) -> Any:
    own = rows.filter(account__in=numbers, book=F("account__book"))
    return own.filter(**{f"{column}__gte": span.start, f"{column}__lt": span.end}).order_by()


def _per_day(rows: Any, span: Span, **sums: Any) -> Any:
    by_day = rows.annotate(day=TruncDate("executed_at", tzinfo=span.zone)).values("day")
    return by_day.annotate(**sums)


def _add_deals(
    days: dict[date, Booked], numbers: Sequence[int], span: Span, owner: int | None
) -> None:
    rows = _within(Deal.objects, numbers, span, "executed_at")
    rows = rows if owner is None else rows.filter(magic_id=owner)
    for row in _per_day(
        rows, span, count=Count("id"), gain=ExactSum("realised"), cost=ExactSum("fee_quote")
    ):
        day = days[row["day"]]
        day.deals, day.realised, day.fees = row["count"], row["gain"], row["cost"]


def _add_funding(days: dict[date, Booked], numbers: Sequence[int], span: Span) -> None:
    rows = _within(CashFlow.objects.funding(), numbers, span, "executed_at")
    for row in _per_day(rows, span, received=ExactSum("value")):
        days[row["day"]].funding = -row["received"]


def _add_positions(days: dict[date, Booked], numbers: Sequence[int], span: Span) -> None:
    rows = _within(Position.objects.filter(state=Position.State.CLOSED), numbers, span, "closed_at")
    columns = ("closed_at", "realised", "fees", "entered_quantity", "entry_price")
    for at, realised, fees, quantity, price in rows.values_list(*columns).iterator():
        day = days[_date(at, span)]
        day.nets.append(EXACT.subtract(realised, fees))
        day.value = EXACT.add(day.value, multiplied(quantity, price))


def _add_lots(days: dict[date, Booked], numbers: Sequence[int], span: Span, owner: int) -> None:
    rows = Lot.objects.filter(
        magic_id=owner,
        position__account__in=numbers,
        position__book=F("position__account__book"),
        position__state=Position.State.CLOSED,
        position__closed_at__gte=span.start,
        position__closed_at__lt=span.end,
    )
    columns = ("position__closed_at", "realised", "fees")
    for at, realised, fees in rows.values_list(*columns).iterator():
        days[_date(at, span)].nets.append(EXACT.subtract(realised, fees))


def _date(moment: datetime, span: Span) -> date:
    return moment.astimezone(span.zone).date()
