"""The frames of ``/ws``: one envelope for answers and events, always with all its keys."""

from typing import Any

from common.clock import iso
from common.errors import DomainError
from events.models import Event
from surfaces.live.feed import Frame
from trading.states import STATES

RESPONSE, EVENT, ERROR = "ws_response", "ws_event", "error"
SYSTEM, POSITION, ACCOUNT, CCXT = "system", "position", "account", "ccxt"
NAMESPACES = (POSITION, ACCOUNT, CCXT)
_OF_POSITIONS = ("order.", "deal.", "position.")
# What the log calls a figure, and what 000 calls it.
_WORDS = {
    "type": "order_type",
    "quantity": "qty",
    "filled_quantity": "filled_qty",
    "average_price": "avg_fill_price",
    "realised": "pnl",
    "replaces_id": "replaces",
}
_POSITION_WORDS = {"quantity": "qty", "average_price": "avg_price", "realised": "realised_pnl"}


def response(
    request: dict[str, Any],
    name: str,
    payload: dict[str, Any],
    error: dict[str, Any] | None = None,
) -> Frame:
    """The answer to a request, whose id, namespace and action it repeats; ``name`` is its event."""
    return {
        "id": _echo(request.get("id")),
        "ok": error is None,
        "type": RESPONSE,
        "namespace": _echo(request.get("namespace")) or SYSTEM,
        "action": _echo(request.get("action")),
        "event": name,
        "payload": payload,
        **({} if error is None else {"error": error}),
    }


def refusal(request: dict[str, Any], error: DomainError) -> Frame:
    """The answer to a request that was refused."""
    shown: dict[str, Any] = {"code": error.code, "message": error.message}
    return response(
        request, ERROR, {}, {**shown, "fields": error.fields} if error.fields else shown
    )


def event(namespace: str, name: str, payload: dict[str, Any], event_id: int) -> Frame:
    """Something that happened; ``event_id`` is what the client resumes after."""
    return {
        "id": None,
        "ok": True,
        "type": EVENT,
        "namespace": namespace,
        "action": None,
        "event": name,
        "event_id": event_id,
        "payload": payload,
    }


def of_log(entry: Event) -> Frame:
    """An event of the log about one account."""
    payload = {**_in_words(entry), "timestamp": iso(entry.created_at)}
    return event(namespace_of(entry.kind), entry.kind, payload, entry.seq or 0)


def namespace_of(kind: str) -> str:
    """The namespace that an event belongs to."""
    return POSITION if kind.startswith(_OF_POSITIONS) else ACCOUNT


def _in_words(entry: Event) -> dict[str, Any]:
    if namespace_of(entry.kind) == ACCOUNT:
        return entry.payload
    words = _POSITION_WORDS if entry.kind.startswith("position.") else _WORDS
    payload = {words.get(name, name): value for name, value in entry.payload.items()}
    if entry.kind.startswith("order."):
        state = STATES[payload["state"]]
        payload.update(status=state.words.spec_000, outcome=state.words.outcome)
    return payload


def _echo(value: Any) -> str | int | None:
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else None
