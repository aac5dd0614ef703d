"""What follows when an order or a position has changed: the dust of a close, the end of a change,
the protection of what is held.

Runs as a durable consumer of ``order.updated`` and ``position.updated``; every step is idempotent.
"""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q

from common.clock import now
from events.models import Event
from trading import states
from trading.models import Deal, Order, Position
from trading.models.positions import DUST

from .exits import position_of
from .fills import locked_cursor
from .folding import fold_deal
from .market_view import stored_rules
from .protecting import converge
from .substitutes import conclude_later, report_failed
from .transitions import Moves
from .wishes import adopt_wishes


def with_an_aftermath(events: Sequence[Event]) -> list[Event]:
    """Those after which there may be something to do: a finished exit, an entry with fills that
    wishes for protection, a finished protective order, a position that has some, a change.
    """
    orders = Order.objects.filter(pk__in={_number(event, "order_id") for event in events})
    wishes = ~Q(take_profit="") | ~Q(stop_loss="") | ~Q(trailing_stop="")
    ends = Q(reduce_only=True) | Q(is_protective=True) | ~Q(change=None) | ~Q(replaces=None)
    finished = Q(state__in=states.TERMINAL) & ends
    concerned = set(orders.filter(finished | wishes).values_list("pk", flat=True))
    return [
        event for event in events if _number(event, "order_id") in concerned or _is_guarded(event)
    ]


def _is_guarded(event: Event) -> bool:
    """Whether it tells of a position that was protected, or should have been."""
    none = Position.Guarded.NONE_WANTED
    return bool(event.payload.get("protection", none) != none)


def _number(event: Event, name: str) -> int:
    return int(event.payload.get(name) or 0)


def after_change(event: Event) -> None:
    """Consumer handler for ``order.updated`` and ``position.updated``."""
    position_id = _number(event, "position_id")
    if not position_id:
        position_id = _after_order(_number(event, "order_id"))
    if position_id:
        converge(position_id)


def _after_order(order_id: int) -> int:
    """Do what an order's new state asks for; returns the position whose protection it touches."""
    orders = Order.objects.select_related("account", "command", "position")
    order = orders.filter(pk=order_id).first()
    if order is None:
        return 0
    if order.state in states.TERMINAL:
        _after_the_end(order)
    if not order.reduce_only and order.filled_quantity:
        return adopt_wishes(order)
    return order.position_id or 0


def _after_the_end(order: Order) -> None:
    if order.change_id is not None:
        conclude_later(order)
    report_failed(order)
    if order.reduce_only and order.filled_quantity:
        book_dust(order)


@transaction.atomic
def book_dust(close: Order) -> None:
    """Move a remainder below the venue's step out of the position a close has left.

    Two internal deals at the position's own average: out of the position, so that it is closed, and
    into one that nobody owns. The sum over the account stays equal to the exchange's.
    """
    rules = stored_rules(close.account, close.symbol)
    if rules is None:
        return
    locked_cursor(close.account, close.symbol)
    position = _left_by(close)
    if position is None or position.pk != close.position_id:
        return  # closed by now: what is open was bought later
    if position.quantity >= rules.amount_step:
        return
    moves = Moves()
    name = f"dust:{close.uid.hex}"
    away = "sell" if position.side == "buy" else "buy"
    leaving = _dust_deal(close, position, away, f"{name}:out")
    arriving = _dust_deal(close, position, position.side, f"{name}:in")
    fold_deal(leaving, moves, external_order_id=position.external_order_id)
    fold_deal(arriving, moves, external_order_id=DUST)
    moves.flush()


def _left_by(close: Order) -> Position | None:
    """What a close left open: of the position without an owner that it named, else of our own."""
    unowned = Position.objects.open().filter(pk=close.position_id or 0, allocated=False).first()
    return unowned or position_of(close)


def _dust_deal(close: Order, position: Position, side: str, trade_id: str) -> Deal:
    return Deal(
        organisation_id=close.organisation_id,
        account=close.account,
        book=close.book,
        position=position,
        symbol=close.symbol,
        side=side,
        quantity=position.quantity,
        price=position.average_price,
        net_quantity=position.quantity,
        magic_id=close.magic_id,
        reason=DUST,
        exchange_trade_id=trade_id,
        executed_at=now(),
    )
