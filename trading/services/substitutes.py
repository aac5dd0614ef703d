"""The end of a change whose order is finished: another order takes its place for what is left, or
the reason why none does.
"""

from decimal import Decimal
from typing import Any

from django.db import transaction

from common.ids import new_order_uid
from common.money import EXACT, ZERO, divided, floored, multiplied
from exchanges.quirks import quirks_of
from monitoring.alerts import raise_alert
from monitoring.models import Alert
from riskmgmt.limits import NewReservation, at_risk_for
from trading import states
from trading.models import Order, Position
from trading.sizing import Basis, fit_quantity

from .market_view import stored_rules
from .new_orders import write_orders
from .pursuing import locked_order
from .transitions import Moves
from .venue_access import venue_of
from .venue_marks import mark_for_venue

NO_CHANGE: dict[str, Any] = {
    "change": None,
    "wanted_price": None,
    "wanted_quantity": None,
    "change_sent_at": None,
}
CHANGED = "changed"
_COPIED = (
    "organisation_id", "account", "book", "position_id", "magic_id", "reason", "symbol", "side",
    "type", "stop_price", "time_in_force", "post_only", "reduce_only", "is_protective",
    "take_profit", "stop_loss", "trailing_stop", "reference_price",
)  # fmt: skip


def conclude_change(order: Order, moves: Moves) -> Order | None:
    """End the change of a finished order, whose row the caller's transaction has locked; returns
    the order that takes its place, if one does. Safe to repeat: it concludes once.

    Our own cancel has ended the order only if we asked for it; what else ended it (a fill, its
    time, somebody at the exchange) ends the change, too.
    """
    if order.change_id is None or order.state not in states.TERMINAL:
        return None
    left = EXACT.subtract(order.wanted_quantity or ZERO, order.filled_quantity)
    code = _obstacle(order, left)
    if code:
        _end(order, moves, code)
        return None
    substitute = _substitute(order, left)
    _end(order, moves, "replaced")
    moves.write()
    value = multiplied(left, substitute.price or substitute.stop_price or _valued_at(order))
    reserved = [
        NewReservation(
            order.organisation_id,
            order.account_id,
            order.book,
            substitute.uid,
            order.symbol,
            value,
            _at_risk(order, left),
        )
    ]
    write_orders([substitute], [] if order.reduce_only else reserved, cause="change")
    return substitute


def _at_risk(order: Order, left: Decimal) -> Decimal | None:
    """What is left of an entry loses when it is stopped out, as its whole would have."""
    whole = at_risk_for(order.uid)
    return None if whole is None else divided(EXACT.multiply(whole, left), order.quantity)


@transaction.atomic
def conclude_later(order: Order) -> None:
    """Conclude the change of an order that something else than its pursuit has finished."""
    moves = Moves()
    conclude_change(locked_order(order), moves)
    moves.flush()


def _end(order: Order, moves: Moves, code: str) -> None:
    values: dict[str, Any] = {"error_code": code}
    if code == CHANGED:
        values = {"price": order.wanted_price, "quantity": order.wanted_quantity}
    moves.put(order, **NO_CHANGE, **values)
    moves.touch(order)


def _valued_at(order: Order) -> Decimal:
    price: Decimal = order.reference_price or ZERO
    return price


def _obstacle(order: Order, left: Decimal) -> str:
    """Why nothing takes the order's place; CHANGED where it has executed another quantity than it
    had, and just what was wanted.
    """
    if order.state == states.FILLED:
        is_met = left == 0 and order.wanted_quantity != order.quantity
        return CHANGED if is_met else "already_filled"
    if order.state != states.CANCELED or order.change_sent_at is None:
        return "ended_before_change"
    if order.cancel_requested_at is not None:
        return "change_cancelled"
    if left <= 0:
        return "already_filled"
    rules = stored_rules(order.account, order.symbol)
    if rules is None:
        return "market_unavailable"
    if order.reduce_only:
        return "" if floored(left, rules.amount_step) == left else "remainder_below_minimum"
    price = order.wanted_price or order.stop_price or _valued_at(order)
    fitting = fit_quantity(left, Basis(rules=rules, price=price, equity=ZERO))
    return "" if fitting.quantity == left else "remainder_below_minimum"


def _substitute(order: Order, quantity: Decimal) -> Order:
    """The order that takes another's place, with an id of its own."""
    uid = new_order_uid()
    account = order.account
    quirks = quirks_of(venue_of(account).ccxt_id, account.market_type)
    substitute = Order(
        uid=uid,
        client_order_id=quirks.encode_client_id(uid),
        command_id=order.change_id,
        replaces=order,
        price=order.wanted_price,
        quantity=quantity,
        state=states.CREATED,
        **{name: getattr(order, name) for name in _COPIED},
    )
    held = Position.objects.open().filter(account=account, book=order.book, symbol=order.symbol)
    mark_for_venue(substitute, held)
    return substitute


def report_failed(order: Order) -> None:
    """Raise an alert for an order that was to take another's place and never worked, but not for
    one that somebody cancelled.
    """
    never_worked = order.replaces_id is not None and order.state in states.NEVER_WORKED
    if not never_worked or order.error_code == "cancelled_before_sending":
        return
    raise_alert(
        "replace_failed",
        message=(
            f"Order {order.replaces_id} was cancelled to be changed, and order {order.pk} in its "
            f"place was not taken ({order.error_code})."
        ),
        organisation_id=order.organisation_id,
        subject=f"order:{order.pk}",
        severity=Alert.Severity.CRITICAL,
    )
