"""What the ledger tells the log: the payloads of its events, in one place."""

from typing import Any

from common.clock import iso
from common.money import plain
from events.log import NewEvent
from trading.models import Deal, Execution, Order, Position

CREATED, RETRIED = "execution.created", "execution.retried"


def _money(value: Any) -> str | None:
    return None if value is None else plain(value)


def order_event(kind: str, order: Order, *, correlation_id: str = "") -> NewEvent:
    """``order.created`` or ``order.updated``."""
    return NewEvent(
        kind,
        order.organisation_id,
        (f"account:{order.account_id}", f"magic:{order.magic_id}", f"order:{order.pk}"),
        {
            "order_id": order.pk,
            "account_id": order.account_id,
            "book": order.book,
            "symbol": order.symbol,
            "side": order.side,
            "type": order.type,
            "quantity": _money(order.quantity),
            "price": _money(order.price),
            "stop_price": _money(order.stop_price),
            "replaces_id": order.replaces_id,
            "filled_quantity": _money(order.filled_quantity),
            "average_price": _money(order.average_price),
            "reduce_only": order.reduce_only,
            "state": order.state,
            "magic_id": order.magic_id,
            "reason_code": order.error_code,
            "correlation_id": correlation_id,
        },
    )


def deal_event(deal: Deal) -> NewEvent:
    """``deal.created``."""
    return NewEvent(
        "deal.created",
        deal.organisation_id,
        (f"account:{deal.account_id}", f"magic:{deal.magic_id}"),
        {
            "deal_id": deal.pk,
            "order_id": deal.order_id,
            "account_id": deal.account_id,
            "book": deal.book,
            "symbol": deal.symbol,
            "side": deal.side,
            "quantity": _money(deal.quantity),
            "price": _money(deal.price),
            "fee": _money(deal.fee),
            "fee_currency": deal.fee_currency,
            "realised": _money(deal.realised),
            "position_id": deal.position_id,
            "magic_id": deal.magic_id,
            "reason": deal.reason,
            "executed_at": iso(deal.executed_at),
        },
    )


def position_event(position: Position, magic_ids: set[int]) -> NewEvent:
    """``position.updated``."""
    owners = tuple(f"magic:{magic_id}" for magic_id in sorted(magic_ids))
    return NewEvent(
        "position.updated",
        position.organisation_id,
        (f"account:{position.account_id}", *owners),
        {
            "position_id": position.pk,
            "account_id": position.account_id,
            "book": position.book,
            "symbol": position.symbol,
            "side": position.side,
            "quantity": _money(position.quantity),
            "average_price": _money(position.average_price),
            "realised": _money(position.realised),
            "state": position.state,
            "protection": position.protection,
        },
    )


def execution_event(execution: Execution, legs: int, *, kind: str = CREATED) -> NewEvent:
    """``execution.created``, or ``execution.retried`` with how many legs are tried again."""
    return NewEvent(
        kind,
        execution.organisation_id,
        (f"execution:{execution.pk}",),
        {
            "execution_id": execution.pk,
            "correlation_id": execution.correlation_id,
            "source": execution.source,
            "source_ref": execution.source_ref,
            "legs": legs,
        },
    )
