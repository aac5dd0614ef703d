"""Specification 004's dialect: text ids, JSON numbers, four words for what became of an order."""

from typing import Any

from common.clock import iso
from common.money import ZERO, canonical
from reports.positions import percentage_of, result_of
from surfaces.base import DialectView
from surfaces.rendering import moment, number
from trading.models import Command, Deal, Order, Position
from trading.services.placing import Placed
from trading.states import REJECTED, STATES

# A denied command has no order; its number stands for one, so that it can be asked for.
DENIED = "denied-"


class TerminalView(DialectView):
    """The base of every view of 004; refusals have the union error body."""


def shown_placed(placed: Placed) -> dict[str, Any]:
    """The answer to a new order: ``placed`` or ``rejected``; ``outcome`` says how sure that is."""
    command, order = placed.command, placed.order
    answer: dict[str, Any] = {
        "order_id": f"{DENIED}{command.pk}" if order is None else str(order.pk),
        "status": "rejected" if placed.is_rejected else "placed",
        "placed_at": iso(command.created_at if order is None else order.created_at),
        "state": REJECTED if order is None else order.state,
        "outcome": "confirmed" if order is None else STATES[order.state].words.outcome,
        "account_id": str(command.account_id),
        "command_id": str(command.pk),
        "idempotency_key": command.request_id,
    }
    if placed.reason:
        answer |= {"reason": placed.reason, "message": placed.message}
    return answer


def shown_order(order: Order, deals: list[Deal]) -> dict[str, Any]:
    """An order with its account and its deals; ``fees`` are valued in the quote currency."""
    words = STATES[order.state].words
    details: dict[str, Any] = {}
    for deal in deals:
        paid, value = details.get(deal.fee_currency, (ZERO, ZERO))
        details[deal.fee_currency] = paid + deal.fee, value + deal.fee_quote
    return {
        "order_id": str(order.pk),
        "symbol": order.symbol,
        "exchange": order.account.venue,
        "side": order.side,
        "type": order.type,
        "quantity": number(order.quantity),
        "price": number(order.price),
        "stop_price": number(order.stop_price),
        "status": words.spec_004,
        "filled_quantity": number(order.filled_quantity),
        "avg_fill_price": number(order.average_price),
        "fees": number(canonical(sum((deal.fee_quote for deal in deals), ZERO))),
        "fee_details": [
            {"currency": currency, "amount": number(paid), "value": number(value)}
            for currency, (paid, value) in sorted(details.items())
            if currency
        ],
        "placed_at": iso(order.created_at),
        "updated_at": iso(order.updated_at),
        "time_in_force": order.time_in_force,
        "post_only": order.post_only,
        "reduce_only": order.reduce_only,
        "account_id": str(order.account_id),
        "book": order.book,
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id or None,
        "state": order.state,
        "outcome": words.outcome,
        "reason": order.error_code or None,
        "message": order.error_message or None,
    }


def shown_denied(command: Command) -> dict[str, Any]:
    """A denied command in the form of an order; needs the account."""
    placed = Placed(command, None)
    asked = command.payload
    return {
        "order_id": f"{DENIED}{command.pk}",
        "symbol": asked["symbol"],
        "exchange": command.account.venue,
        "side": asked["side"],
        "type": asked["type"],
        **{name: _asked(asked, name) for name in ("quantity", "price", "stop_price")},
        "status": "rejected",
        "filled_quantity": 0.0,
        "avg_fill_price": None,
        "fees": 0.0,
        "fee_details": [],
        "placed_at": iso(command.created_at),
        "updated_at": iso(command.created_at),
        "time_in_force": asked["time_in_force"],
        "post_only": asked.get("post_only", False),
        "reduce_only": asked.get("reduce_only", False),
        "account_id": str(command.account_id),
        "book": command.account.book,
        "client_order_id": None,
        "exchange_order_id": None,
        "state": REJECTED,
        "outcome": "confirmed",
        "reason": placed.reason,
        "message": placed.message,
    }


def _asked(payload: dict[str, Any], name: str) -> float | None:
    text = payload.get(name)
    return None if text is None else float(text)


def shown_position(position: Position) -> dict[str, Any]:
    """A priced position; ``pnl`` is before fees, of a closed one what it brought."""
    last_price = position.last_price  # type: ignore[attr-defined]
    is_open = position.state == Position.State.OPEN
    return {
        "id": str(position.pk),
        "symbol": position.symbol,
        "exchange": position.account.venue,
        "side": position.side,
        "quantity": number(position.quantity if is_open else position.entered_quantity),
        "entry_price": number(position.entry_price),
        "current_price": number(last_price if is_open else position.exit_price),
        "pnl": number(result_of(position)),
        "pnl_percentage": number(percentage_of(position)),
        "opened_at": iso(position.opened_at),
        "updated_at": iso(position.updated_at),
        "status": position.state,
        "closed_at": moment(position.closed_at),
        "average_price": number(position.average_price),
        "realised_pnl": number(position.realised),
        "fees": number(position.fees),
        "price_at": moment(position.price_at),  # type: ignore[attr-defined]
        "account_id": str(position.account_id),
        "book": position.book,
        "reconciled": position.allocated,
    }
