"""The marks of an order at a derivatives venue, from what the ledger holds now."""

from collections.abc import Iterable
from decimal import Decimal

from accounts.models import Account
from common.money import ZERO
from trading.models import Order, Position
from trading.venue_sides import LONG, SHORT, Holding, exposure, venue_leg

from .folding import is_hedging


def is_per_side(account: Account) -> bool:
    """Whether ours and the venue's positions are matched side by side, not by their sum."""
    return is_hedging(account) and account.kept_position_mode == Account.VenueMode.HEDGE


def holding_at_venue(position: Position) -> Holding:
    """A position as its venue counts it."""
    venue_side = position.venue_side
    if not position.is_netting:
        venue_side = LONG if position.side == "buy" else SHORT
    return Holding(position.signed_quantity, position.allocated, venue_side)


def mark_for_venue(order: Order, positions: Iterable[Position]) -> None:
    """Set the marks of an order not written yet; ``positions`` are all open ones of its account and
    symbol, read under the account's lock.
    """
    account = order.account
    if account.market_type == Account.MarketType.SPOT:
        return
    per_side = is_per_side(account)
    leg = venue_leg(
        market_type=account.market_type,
        venue_mode=account.kept_position_mode,
        side=order.side,
        reduce_only=order.reduce_only,
        quantity=order.quantity,
        exposure=exposure(
            [holding_at_venue(each) for each in positions],
            side=order.side,
            is_per_side=per_side,
            leaving=_leaving(order, per_side) if order.reduce_only else ZERO,
        ),
    )
    order.position_side, order.venue_reduce_only = leg.position_side, leg.reduce_only


def is_taken_as_reducing(position: Position, quantity: Decimal) -> bool:
    """Whether an order that rests at the venue to close so much of a position can only reduce
    there: on spot it holds the coins, elsewhere it carries the mark.
    """
    account = position.seat
    if account.market_type == Account.MarketType.SPOT:
        return True
    close = Order(
        account=account,
        book=position.book,
        symbol=position.symbol,
        side="sell" if position.side == "buy" else "buy",
        quantity=quantity,
        reduce_only=True,
        position=position,
    )
    rows = Position.objects.open().filter(
        account=account, book=position.book, symbol=position.symbol
    )
    mark_for_venue(close, rows)
    return close.venue_reduce_only


def _leaving(order: Order, per_side: bool) -> Decimal:
    """What other live orders of the same side have still to execute; a close's own take-profits are
    cancelled before it is sent.
    """
    rows = Order.objects.live().filter(
        account=order.account, book=order.book, symbol=order.symbol, side=order.side
    )
    rows = rows.exclude(position=order.position_id, is_protective=True)
    if per_side:
        rows = rows.filter(reduce_only=True)
    return sum((each.remaining for each in rows), ZERO)
