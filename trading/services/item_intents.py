"""The intents that items of a batch stand for: an order, and the close of a position."""

from accounts.models import Account
from common.errors import Conflict, Invalid, NotFound
from common.money import floored, plain
from common.principal import Principal
from trading.models import Position

from .command_items import Item
from .intents import LOT, POSITION, OrderIntent, exit_of
from .market_view import stored_rules


def entry_intent(item: Item) -> OrderIntent:
    """What a ``send_order`` asks for.

    A reduce-only order that names its position may take from every owner's lot in it, one that
    names none takes from the lot of its ``magic_id``.
    """
    asked = item.payload
    return OrderIntent(
        account_id=item.account_id,
        symbol=asked["symbol"],
        side=asked["side"],
        type=asked["order_type"],
        quantity=asked["qty"],
        price=asked["price"],
        stop_price=asked["stop_price"],
        stop_loss=asked["stop_loss"],
        take_profit=asked["take_profit"],
        trailing_stop=asked["trailing_stop"],
        leverage=asked["leverage"],
        reduce_only=asked["reduce_only"],
        exit_scope=POSITION if asked["position_id"] else LOT,
        position_id=asked["position_id"],
        post_only=asked["post_only"],
        time_in_force=asked["time_in_force"],
        magic_id=asked["magic_id"],
        reason=asked["reason"],
        request_id=item.request_id,
        mode=asked["mode"],
        allow_downgrade=asked["allow_downgrade"],
    )


def closing_intent(principal: Principal, account: Account, item: Item) -> OrderIntent:
    """What a ``close_position`` asks for: a reduce-only order of the other side.

    It follows from the position's row alone, so that a repeat after the close is the same intent.
    Raises NotFound ``position_not_found``, Conflict ``position_not_reconciled``, Invalid for a
    quantity that the open position does not have.
    """
    asked = item.payload
    position = owned_position(principal, account, asked["position_id"])
    intent = exit_of(
        position,
        type=asked["order_type"],
        quantity=asked["qty"],
        price=asked["price"],
        exit_scope=POSITION,
        position_id=position.pk,
        magic_id=asked["magic_id"],
        reason=asked["reason"],
        request_id=item.request_id,
    )
    if position.state == Position.State.OPEN:
        _demand_quantity(account, position, intent)
    return intent


def owned_position(principal: Principal, account: Account, position_id: int) -> Position:
    """A position of the account, open or not; raises NotFound ``position_not_found``, Conflict
    ``position_not_reconciled`` for one that nobody owns.
    """
    position = (
        Position.objects.visible_to(principal).filter(account=account, pk=position_id).first()
    )
    if position is None:
        raise NotFound("There is no such position.", code="position_not_found")
    if not position.allocated:
        raise Conflict(
            "Nobody owns this position yet: reassign its deals first.",
            code="position_not_reconciled",
        )
    return position


def _demand_quantity(account: Account, position: Position, intent: OrderIntent) -> None:
    """A part of the position by the venue's step; up to one step more than all of it is all."""
    rules, wanted = stored_rules(account, position.symbol), intent.quantity
    if wanted is None or rules is None:
        return
    if wanted > position.quantity + rules.amount_step:
        raise Invalid(
            "More than the position holds.",
            code="quantity_above_position",
            fields={"payload.qty": f"at most {plain(position.quantity)}"},
        )
    if wanted < position.quantity and floored(wanted, rules.amount_step) != wanted:
        raise Invalid(
            "The quantity is not a multiple of the venue's step.",
            code="off_precision",
            fields={"payload.qty": f"must be a multiple of {plain(rules.amount_step)}"},
        )
