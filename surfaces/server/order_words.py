"""How 003 speaks of an order: what was asked for, the acknowledgement, the decision on its mode."""

from typing import Any

from accounts.books import LIVE, SIMULATED, mode_of
from common.clock import iso
from common.money import money
from common.principal import Principal
from marketdata.symbols import spelled
from surfaces.rendering import number
from surfaces.server.dialect import shown_role
from trading import states
from trading.models import Command
from trading.services.modes import mode_told
from trading.services.placing import Placed, placed_by
from users.models import User

# Refusals of a live order that are told as such, and not as an acknowledgement.
_OF_THE_RIGHT = frozenset({"live_disabled", "live_not_permitted"})
_OF_A_GUARD = frozenset({"denied_kill_switch", "denied_venue_disabled"})


def is_blocked(placed: Placed) -> bool:
    """Whether an order may not be live: for want of the right, or for a guard."""
    if placed.command.reason_code in _OF_THE_RIGHT:
        return True
    return placed.command.reason_code in _OF_A_GUARD and _modes(placed)[1] == LIVE


def shown_ack(placed: Placed) -> dict[str, Any]:
    """The acknowledgement and the decision behind it."""
    command, order = placed.command, placed.order
    requested, effective, reason = _modes(placed)
    return {
        "ack": {
            "request_id": command.request_id,
            "status": _status(placed),
            "venue_order_id": (order.exchange_order_id or None) if order else None,
            "mode": effective,
            "message": placed.message if placed.is_rejected else _sentence(placed),
            "received_at": iso(command.created_at),
            "order_id": str(order.pk) if order else None,
            "state": order.state if order else states.REJECTED,
            "outcome": states.STATES[order.state].words.outcome if order else "confirmed",
            "reason": placed.reason or None,
        },
        "decision": {"requested": requested, "effective": effective, "reason": reason},
    }


def shown_actor(principal: Principal, user: User) -> dict[str, Any]:
    """Who asked."""
    return {
        "user_id": str(user.uuid),
        "org_id": str(user.organisation.uuid),
        "label": principal.username,
        "role": shown_role(principal.role),
    }


def shown_record(command: Command) -> dict[str, Any]:
    """One record of the past; needs account and order."""
    placed, asked = placed_by(command), command.payload
    order = placed.order
    told = shown_ack(placed)
    return {
        "order": {
            "account_id": str(command.account_id),
            "venue": command.account.venue,
            "symbol": spelled(asked["symbol"], "-"),
            "side": asked["side"],
            "order_type": asked["type"],
            "quantity": number(order.quantity) if order else _asked(asked, "quantity"),
            "limit_price": _asked(asked, "price"),
            "stop_price": _asked(asked, "stop_price"),
            "time_in_force": asked["time_in_force"],
            "filled_quantity": number(order.filled_quantity) if order else 0.0,
            "average_price": number(order.average_price) if order else None,
        },
        "ack": told["ack"],
        "decision": {
            **told["decision"],
            "reason": told["decision"]["reason"] or command.reason_code or None,
            "checks": command.decision.get("checks", []),
        },
        "recorded_at": iso(command.created_at),
    }


def _asked(payload: dict[str, Any], name: str) -> float | None:
    return number(money(payload[name])) if name in payload else None


def status_word(state: str, book: str, *, has_fills: bool) -> str:
    """003's word for an order's state: accepted, simulated or rejected."""
    if states.STATES[state].words.spec_004 == "rejected":
        return "rejected"
    if book not in SIMULATED:
        return "accepted"
    return "simulated" if has_fills or state == states.FILLED else "accepted"


def _status(placed: Placed) -> str:
    if placed.is_rejected:
        return "rejected"
    order = placed.order
    if order is None:
        return "accepted"
    return status_word(order.state, order.book, has_fills=bool(order.filled_quantity))


def _modes(placed: Placed) -> tuple[str, str, str | None]:
    """The mode asked for, the one the order has, and why the two differ."""
    told = mode_told(placed.command)
    own = mode_of(placed.order.book if placed.order else placed.command.account.book)
    asked = placed.command.payload.get("mode") or own
    effective = told.get("effective") or (own if placed.order else asked)
    return told.get("requested") or asked, effective, told.get("reason")


def _sentence(placed: Placed) -> str:
    order = placed.order
    outcome = states.STATES[order.state].words.outcome if order else "confirmed"
    if outcome == "unknown":
        return "The venue's answer is not known yet; it is being asked."
    return "The order is on its way." if outcome == "pending" else "The order is placed."
