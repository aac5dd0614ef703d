"""Whether an order ticket is well formed and passes its market's filters. Pure."""

from decimal import Decimal

from exchanges.matching.markets import Market
from exchanges.matching.records import (
    BUY,
    LIMIT_MAKER,
    ORDER_TYPES,
    PRICED_TYPES,
    SELL,
    STOP_TYPES,
    TRIGGERED_TYPES,
    Refusal,
    Ticket,
)

TIMES_IN_FORCE = ("GTC", "IOC", "FOK")


def check_shape(ticket: Ticket) -> None:
    """Refuse unknown words and missing prices.

    Codes: ``bad_side``, ``bad_type``, ``bad_time_in_force``, ``missing_price``,
    ``missing_stop_price``.
    """
    if ticket.side not in (BUY, SELL):
        raise Refusal("bad_side")
    if ticket.type not in ORDER_TYPES:
        raise Refusal("bad_type")
    if ticket.time_in_force not in TIMES_IN_FORCE:
        raise Refusal("bad_time_in_force")
    if ticket.type in PRICED_TYPES and ticket.price is None:
        raise Refusal("missing_price")
    if ticket.type in TRIGGERED_TYPES and ticket.stop_price is None:
        raise Refusal("missing_stop_price")


def check_filters(ticket: Ticket, market: Market, quantity: Decimal, last: Decimal) -> None:
    """Refuse what the filters forbid (codes ``lot_size``, ``price_filter``, ``notional``).

    An order that only reduces a position may be of any value.
    """
    if not market.min_quantity <= quantity <= market.max_quantity or quantity % market.step:
        raise Refusal("lot_size")
    for price in (ticket.price, ticket.stop_price):
        if price is not None and (
            not market.min_price <= price <= market.max_price or price % market.tick
        ):
            raise Refusal("price_filter")
    value = quantity * (ticket.price or ticket.stop_price or last)
    if value < market.min_notional and not ticket.reduce_only:
        raise Refusal("notional")


def check_against_price(ticket: Ticket, last: Decimal) -> None:
    """Refuse a post-only order that would trade and a stop that would trigger at once
    (codes ``would_match``, ``would_trigger``)."""
    if ticket.type == LIMIT_MAKER and marketable(ticket.side, ticket.price, last):
        raise Refusal("would_match")
    stop = ticket.stop_price
    if (
        stop is not None
        and ticket.type in TRIGGERED_TYPES
        and triggers(ticket.type, ticket.side, stop, last)
    ):
        raise Refusal("would_trigger")


def marketable(side: str, price: Decimal | None, last: Decimal) -> bool:
    """Whether an order limited to ``price`` can trade at ``last``; without a limit always."""
    if price is None:
        return True
    return last <= price if side == BUY else last >= price


def triggers(order_type: str, side: str, stop_price: Decimal, last: Decimal) -> bool:
    """Whether ``last`` sets off the order: a stop on the bad side, a take-profit on the good."""
    upwards = (side == BUY) == (order_type in STOP_TYPES)
    return last >= stop_price if upwards else last <= stop_price
