"""What 003's stream tells of the log: ``{kind, payload, at}`` under the specification's names."""

from typing import Any

from accounts.books import mode_of
from common.clock import iso, now
from events.models import Event
from marketdata.symbols import spelled
from surfaces.live.event_source import block
from surfaces.live.feed import Frame
from surfaces.live.stream import Channel
from surfaces.rendering import told_number
from surfaces.server.order_words import status_word
from trading.states import STATES

SYSTEM, ORDER_ACK, ORDER_UPDATE, DEAL = "system", "order_ack", "order_update", "deal"
PORTFOLIO, GUARD, ALERT = "portfolio_snapshot", "execution_guard", "alert"
GAP = "gap"
_KINDS = {
    "order.created": ORDER_ACK,
    "order.updated": ORDER_UPDATE,
    "deal.created": DEAL,
    "position.updated": PORTFOLIO,
    "account.synced": PORTFOLIO,
    "account.suspended": GUARD,
}
_FAMILIES = {"kill_switch": GUARD, "group_guard": GUARD, "alert": ALERT}
_NUMBERS = frozenset(
    {"quantity", "filled_quantity", "average_price", "price", "fee", "realised"}
    | {"stop_price", "balance", "equity"}
)


def stream_channel() -> Channel:
    """All that a client of 003 hears."""
    return Channel("003", _frame, shared="003", encode=_block)


def system(event: str, number: int, **facts: Any) -> str:
    """A block about the stream itself."""
    payload = {"event": event, **facts}
    return block(SYSTEM, {"kind": SYSTEM, "payload": payload, "at": iso(now())}, number)


def gap(oldest: int, newest: int, number: int) -> str:
    """Says that the client missed events that are not kept any more, or came with a foreign number;
    it has to read afresh what it shows.
    """
    payload = {"oldest_id": oldest, "newest_id": newest}
    return block(GAP, {"kind": GAP, "payload": payload, "at": iso(now())}, number)


def _block(frame: Frame) -> str:
    return block(frame["kind"], frame, frame["event_id"])


def _frame(event: Event) -> Frame | None:
    kind = _KINDS.get(event.kind) or _FAMILIES.get(event.kind.partition(".")[0])
    if kind is None:
        return None
    payload = {name: _shown(name, value) for name, value in event.payload.items()}
    if kind in (ORDER_ACK, ORDER_UPDATE):
        payload |= _ack(event)
    elif kind != DEAL:
        payload["event"] = event.kind.replace(".", "_")
    return {
        "kind": kind,
        "payload": payload,
        "at": iso(event.created_at),
        "event_id": event.seq or 0,
    }


def _ack(event: Event) -> dict[str, Any]:
    """The acknowledgement's words, as ``/v1/orders`` has them."""
    told = event.payload
    has_fills = bool(told_number(told["filled_quantity"]))
    return {
        "status": status_word(told["state"], told["book"], has_fills=has_fills),
        "mode": mode_of(told["book"]),
        "outcome": STATES[told["state"]].words.outcome,
        "reason": told["reason_code"] or None,
        "received_at": iso(event.created_at),
    }


def _shown(name: str, value: Any) -> Any:
    """Money as the JSON number that 003 promises, ids as text, symbols in its spelling."""
    if name in _NUMBERS:
        return told_number(value)
    if name == "symbol":
        return spelled(value, "-")
    return str(value) if name.endswith("_id") and isinstance(value, int) else value
