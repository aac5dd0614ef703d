"""What fills cost against the price they were decided at, shadow beside what was really sent, and
where the market went after shadow's.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import Book
from common.money import EXACT, ZERO, divided, multiplied, plain
from common.principal import Principal
from trading.models import Deal, FollowUp, Order
from trading.models.orders import OrderType

BASIS_POINTS = Decimal(10_000)


@dataclass(slots=True)
class _Mean:
    """A mean weighted by value in quote currency."""

    weight: Decimal = ZERO
    total: Decimal = ZERO

    def add(self, value: Decimal, weight: Decimal) -> None:
        self.weight = EXACT.add(self.weight, weight)
        self.total = EXACT.add(self.total, multiplied(value, weight))

    @property
    def value(self) -> Decimal:
        return divided(self.total, self.weight)


@dataclass(frozen=True, slots=True)
class Slippage:
    """Market orders of one book and symbol; means are weighted by ``value`` (quote currency).

    ``slippage`` is in basis points of the price at the decision, positive where the fill was worse.
    ``drift`` is in basis points of the fill price by seconds after it, positive where the market
    went the order's way; shadow alone has it.
    """

    book: str
    symbol: str
    orders: int
    value: Decimal
    slippage: Decimal
    drift: dict[int, Decimal] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``; figures as text."""
        return {
            "book": self.book,
            "symbol": self.symbol,
            "orders": self.orders,
            "value": plain(self.value),
            "slippage_bps": shown(self.slippage),
            "drift_bps": {str(seconds): shown(drift) for seconds, drift in self.drift.items()},
        }


def shown(basis_points: Decimal) -> str:
    """Basis points with two decimals."""
    return f"{basis_points:.2f}"


def slippage(
    principal: Principal, *, since: datetime, account_id: int | None = None
) -> list[Slippage]:
    """By symbol and book, of orders that ended since then on accounts the principal may read."""
    orders = Order.objects.visible_to(principal).filter(
        type=OrderType.MARKET, finished_at__gte=since
    )
    deals = Deal.objects.visible_to(principal).filter(book=Book.SHADOW, executed_at__gte=since)
    if account_id is not None:
        orders, deals = orders.filter(account=account_id), deals.filter(account=account_id)
    drifts = _drifts(deals)
    means: dict[tuple[str, str], _Mean] = defaultdict(_Mean)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    priced = orders.exclude(average_price=None).exclude(reference_price=None)
    rows = priced.values_list(
        "symbol", "book", "side", "filled_quantity", "average_price", "reference_price"
    )
    for symbol, book, side, quantity, average, reference in rows.iterator():
        key = (symbol, book)
        counts[key] += 1
        means[key].add(_moved(reference, average, side), multiplied(quantity, average))
    return [
        Slippage(
            book,
            symbol,
            counts[symbol, book],
            mean.weight,
            mean.value,
            drifts.get(symbol, {}) if book == Book.SHADOW else {},
        )
        for (symbol, book), mean in sorted(means.items())
    ]


def difference(rows: Iterable[Slippage]) -> dict[str, Decimal]:
    """By symbol, how many basis points the fills that were sent were worse than shadow's; only
    where both are known. Rehearsal counts where there is no live.
    """
    by_book: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in rows:
        by_book[row.symbol][row.book] = row.slippage
    found = {}
    for symbol, books in by_book.items():
        sent = books.get(Book.LIVE, books.get(Book.REHEARSAL))
        if sent is not None and Book.SHADOW in books:
            found[symbol] = EXACT.subtract(sent, books[Book.SHADOW])
    return found


def _drifts(deals: Any) -> dict[str, dict[int, Decimal]]:
    """By symbol and seconds."""
    means: dict[tuple[str, int], _Mean] = defaultdict(_Mean)
    rows = FollowUp.objects.filter(deal__in=deals).exclude(price=None).order_by()
    columns = ("deal__symbol", "seconds", "deal__side", "deal__quantity", "deal__price", "price")
    for symbol, seconds, side, quantity, filled_at, price in rows.values_list(*columns).iterator():
        weight = multiplied(quantity, filled_at)
        means[symbol, seconds].add(_moved(filled_at, price, side), weight)
    found: dict[str, dict[int, Decimal]] = defaultdict(dict)
    for (symbol, seconds), mean in sorted(means.items()):
        found[symbol][seconds] = mean.value
    return found


def _moved(start: Decimal, end: Decimal, side: str) -> Decimal:
    """From one price to another in basis points, positive upwards for a buy and downwards for a
    sell.
    """
    way = EXACT.subtract(end, start) if side == "buy" else EXACT.subtract(start, end)
    return divided(multiplied(way, BASIS_POINTS), start)
