"""The commands of a batch that are no orders: each an act of its own service."""

from collections.abc import Callable
from dataclasses import dataclass

from accounts.models import Account
from common.errors import NotFound
from common.principal import Principal
from trading.models import Command, Order

from .cancelling import request_cancel
from .changing import request_change
from .closing_by import close_by
from .command_items import Item, Kind
from .market_view import MarketView


@dataclass(frozen=True, slots=True)
class Asked:
    """An item, who asks for it on which account, and what is known of the markets by now."""

    principal: Principal
    account: Account
    item: Item
    markets: MarketView | None


Act = Callable[[Asked], tuple[Command, Order | None]]


def _cancel(asked: Asked) -> tuple[Command, Order | None]:
    order = owned_order(asked.principal, asked.account, asked.item.payload["order_id"])
    command = request_cancel(
        principal=asked.principal, order=order, request_id=asked.item.request_id
    )
    return command, order


def _change(asked: Asked) -> tuple[Command, Order | None]:
    payload = asked.item.payload
    order = owned_order(asked.principal, asked.account, payload["order_id"])
    command = request_change(
        principal=asked.principal,
        order=order,
        new_price=payload["new_price"],
        new_quantity=payload["new_qty"],
        request_id=asked.item.request_id,
        markets=asked.markets,
    )
    return command, order


def _close_by(asked: Asked) -> tuple[Command, Order | None]:
    payload = asked.item.payload
    command = close_by(
        principal=asked.principal,
        account=asked.account,
        position_id=payload["position_id_a"],
        by_id=payload["position_id_b"],
        quantity=payload["qty"],
        request_id=asked.item.request_id,
    )
    return command, None


def owned_order(principal: Principal, account: Account, order_id: int) -> Order:
    """An order of the account; raises NotFound ``order_not_found``."""
    rows = Order.objects.visible_to(principal).filter(account=account, pk=order_id)
    order = rows.select_related("account", "command").first()
    if order is None:
        raise NotFound("There is no such order.", code="order_not_found")
    return order


# Everything but orders, which are submitted together.
ACTS: dict[str, Act] = {
    Kind.CANCEL_ORDER: _cancel,
    Kind.CHANGE_ORDER: _change,
    Kind.CLOSE_BY: _close_by,
}
