"""The paper book's orders, trades and refusals in the words of the venue protocol."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from .matching import CANCELED, EXPIRED, FILLED, BookOrder, BookTrade, Refusal, Ticket
from .matching.records import EXACT
from .outcomes import NOT_SENT, REFUSED, UNKNOWN, VenueError
from .protocol import CANCELED as ORDER_CANCELED
from .protocol import EXPIRED as ORDER_EXPIRED
from .protocol import FILLED as ORDER_FILLED
from .protocol import OPEN as ORDER_OPEN
from .protocol import OrderRequest, VenueOrder, VenueTrade

STATUSES = {FILLED: ORDER_FILLED, CANCELED: ORDER_CANCELED, EXPIRED: ORDER_EXPIRED}
CODES = {
    "insufficient_funds": "insufficient_funds",
    "would_match": "would_take",
    "unknown_symbol": "unknown_symbol",
    "insufficient_margin": "insufficient_funds",
    "reduce_only": "reduce_only_refused",
    "max_position": "risk_limit",
}


def ticket_of(request: OrderRequest) -> Ticket:
    """The request as the matching core takes it."""
    kind = request.type.upper()
    if request.type in ("stop_loss", "take_profit") and request.price is not None:
        kind += "_LIMIT"
    elif request.type == "limit" and request.post_only:
        kind = "LIMIT_MAKER"
    return Ticket(
        symbol=request.symbol,
        side=request.side,
        type=kind,
        quantity=request.quantity,
        client_id=request.client_order_id,
        price=request.price,
        stop_price=request.stop_price,
        time_in_force=request.time_in_force.upper(),
        reduce_only=request.reduce_only,
    )


def venue_order(order: BookOrder, trades: Sequence[BookTrade]) -> VenueOrder:
    """An order with its own executions."""
    return VenueOrder(
        exchange_order_id=str(order.id),
        client_order_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type.lower(),
        status=STATUSES.get(order.status, ORDER_OPEN),
        quantity=order.quantity,
        filled=order.filled,
        price=order.price,
        average=_average(order),
        created_ms=order.created_ms,
        trades=tuple(venue_trade(row) for row in trades),
        raw=order.to_json(),
    )


def _average(order: BookOrder) -> Decimal | None:
    """The mean price, cut to 18 places where it does not come out even."""
    if not order.filled:
        return None
    mean = EXACT.divide(order.quote_filled, order.filled)
    cut = mean.quantize(Decimal("1e-18"), rounding=ROUND_DOWN, context=EXACT)
    return mean if mean == cut else cut


def venue_trade(row: BookTrade) -> VenueTrade:
    """An execution."""
    return VenueTrade(
        trade_id=str(row.id),
        exchange_order_id=str(row.order_id),
        symbol=row.symbol,
        side=row.side,
        quantity=row.quantity,
        price=row.price,
        fee=row.commission,
        fee_currency=row.commission_asset,
        executed_ms=row.at_ms,
        client_order_id=row.client_id,
        raw=row.to_json(),
    )


def venue_error(refusal: Refusal) -> VenueError:
    """A refusal of the core; what an exchange would leave open is UNKNOWN."""
    if refusal.code == "duplicate_client_id":
        return VenueError(
            outcome=UNKNOWN,
            code="duplicate_order_id",
            message="an open order has this client order id",
        )
    if refusal.code == "unknown_order":
        return VenueError(outcome=UNKNOWN, code="order_not_found", message="no such open order")
    return VenueError(
        outcome=REFUSED,
        code=CODES.get(refusal.code, "invalid_order"),
        message=f"the paper venue refused the order: {refusal.code}",
        venue_code=refusal.code,
    )


def not_supported(message: str) -> VenueError:
    """What paper accounts cannot do; nothing was sent."""
    return VenueError(outcome=NOT_SENT, code="not_supported", message=message)


def not_saved() -> VenueError:
    """The book could not be stored: whether the call counts is not known."""
    return VenueError(
        outcome=UNKNOWN, code="book_not_saved", message="the paper book was not saved"
    )
