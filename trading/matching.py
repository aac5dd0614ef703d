"""Which order at a venue without client ids is ours: a pure comparison of before and after."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from common.clock import from_ms
from common.money import ZERO
from exchanges.protocol import FILLED, OrderRequest, VenueBalance, VenueOrder, VenueTrade

ADOPT, ABSENT, WAIT, ASK = "adopt", "absent", "wait", "ask"
LOOKS = 3
LOOKS_SPAN = timedelta(seconds=60)
CLOCK_SKEW = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Before:
    """The venue before the request left; balances are (free, locked) by currency."""

    taken_at: datetime
    order_ids: frozenset[str]
    trade_ids: frozenset[str]
    balances: Mapping[str, tuple[Decimal, Decimal]]


@dataclass(frozen=True, slots=True)
class After:
    """The venue now."""

    open_orders: Sequence[VenueOrder]
    trades: Sequence[VenueTrade]
    balances: Mapping[str, VenueBalance]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be concluded, and the orders that could be ours."""

    conclusion: str
    candidates: tuple[VenueOrder, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many looks have found nothing, this one included, since when, at which moment."""

    looks: int
    since: datetime
    moment: datetime
    taken: Collection[str] = field(default=frozenset())


def judge(request: OrderRequest, before: Before, after: After, patience: Patience) -> Verdict:
    """One candidate is the order; none over enough looks with balances unmoved proves absence.

    More than one, or none although the balances moved, only a person can settle.
    """
    found = candidates(request, before, after, patience.taken)
    if len(found) == 1:
        return Verdict(ADOPT, found)
    if len(found) > 1:
        return Verdict(ASK, found, "several_candidates")
    if patience.looks < LOOKS or patience.moment - patience.since < LOOKS_SPAN:
        return Verdict(WAIT)
    if balances_moved(request.symbol, before, after):
        return Verdict(ASK, (), "balance_moved")
    return Verdict(ABSENT)


def candidates(
    request: OrderRequest, before: Before, after: After, taken: Collection[str]
) -> tuple[VenueOrder, ...]:
    """The orders that were not there before and could be the request's, open or only seen through
    their trades. ``taken`` are venue ids that other rows of ours have.
    """
    known = before.order_ids | frozenset(taken)
    found = {
        order.exchange_order_id: order
        for order in after.open_orders
        if order.exchange_order_id not in known and _fits(request, order, before.taken_at)
    }
    by_order: dict[str, list[VenueTrade]] = {}
    for trade in after.trades:
        if trade.trade_id not in before.trade_ids:
            by_order.setdefault(trade.exchange_order_id, []).append(trade)
    for order_id, trades in by_order.items():
        if order_id and order_id not in known and order_id not in found:
            traded = _from_trades(request, order_id, trades)
            if _fits_traded(request, trades, before.taken_at):
                found[order_id] = traded
    return tuple(found[order_id] for order_id in sorted(found))


def _fits(request: OrderRequest, order: VenueOrder, taken_at: datetime) -> bool:
    is_new = order.created_ms is None or from_ms(order.created_ms) >= taken_at - CLOCK_SKEW
    same_price = request.price is None or order.price is None or order.price == request.price
    same_kind = order.type in ("", request.type) or request.type in ("stop_loss", "take_profit")
    return (
        is_new
        and same_price
        and same_kind
        and (order.symbol, order.side, order.quantity)
        == (request.symbol, request.side, request.quantity)
    )


def _fits_traded(request: OrderRequest, trades: Sequence[VenueTrade], taken_at: datetime) -> bool:
    """Whether an order of which only trades are seen could be the request's."""
    return sum((trade.quantity for trade in trades), ZERO) <= request.quantity and all(
        trade.side == request.side
        and trade.symbol == request.symbol
        and from_ms(trade.executed_ms) >= taken_at - CLOCK_SKEW
        and _within_limit(request, trade)
        for trade in trades
    )


def _within_limit(request: OrderRequest, trade: VenueTrade) -> bool:
    if request.price is None:
        return True
    return trade.price <= request.price if request.side == "buy" else trade.price >= request.price


def _from_trades(request: OrderRequest, order_id: str, trades: Sequence[VenueTrade]) -> VenueOrder:
    filled = sum((trade.quantity for trade in trades), ZERO)
    return VenueOrder(
        exchange_order_id=order_id,
        client_order_id="",
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        status=FILLED,
        quantity=request.quantity,
        filled=filled,
        created_ms=min(trade.executed_ms for trade in trades),
        trades=tuple(trades),
    )


def balances_moved(symbol: str, before: Before, after: After) -> bool:
    """Whether free or locked amounts of the symbol's two currencies differ from before."""
    base, _, rest = symbol.partition("/")
    for currency in {base, *rest.split(":")}:
        now = after.balances.get(currency)
        current = (now.free, now.used) if now else (ZERO, ZERO)
        if current != before.balances.get(currency, (ZERO, ZERO)):
            return True
    return False
