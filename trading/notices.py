"""What of orders and fills people may be told of."""

from typing import Any

from accounts.notices import account_called
from events.models import Event
from monitoring.models import Alert
from monitoring.notices import Notice, Topic, register_topic

from . import states
from .models.positions import DUST

FAILED = (states.REJECTED, states.NOT_PLACED, states.NEEDS_OPERATOR)
ENDED = (states.CANCELED, states.EXPIRED)


def _write_order(event: Event) -> Notice:
    facts = event.payload
    word = facts["state"].replace("_", " ").lower()
    because = f" ({facts['reason_code']})" if facts["reason_code"] else ""
    title = f"Order {word}: {_asked(facts)}"
    body = f"Order {facts['order_id']} on {account_called(facts['account_id'])}: {word}{because}."
    if facts["state"] in FAILED:
        return Notice(title, body, Alert.Severity.WARNING)
    return Notice(title, f"{body} Filled: {facts['filled_quantity']}.")


def _write_deal(event: Event) -> Notice:
    facts = event.payload
    fee = f", fee {facts['fee']} {facts['fee_currency']}" if facts["fee_currency"] else ""
    return Notice(
        f"Filled: {_asked(facts)} at {facts['price']}",
        f"On {account_called(facts['account_id'])}{fee}, realised {facts['realised']}.",
    )


def _asked(facts: dict[str, Any]) -> str:
    return f"{facts['side']} {facts['quantity']} {facts['symbol']}"


def _has_failed(facts: dict[str, Any]) -> bool:
    return facts.get("state") in FAILED


def _has_ended(facts: dict[str, Any]) -> bool:
    return facts.get("state") in ENDED


def _is_trade(facts: dict[str, Any]) -> bool:
    return facts.get("reason") != DUST


ORDER, DEAL = ("order.updated",), ("deal.created",)
TOPICS = (
    Topic(
        "orders_failed",
        "Orders: rejected, not placed, in need of a person",
        ORDER,
        _write_order,
        _has_failed,
    ),
    Topic("orders_ended", "Orders: cancelled, expired", ORDER, _write_order, _has_ended),
    Topic("fills", "Fills", DEAL, _write_deal, _is_trade),
)


def register_topics() -> None:
    """Called once per process when the app is ready."""
    for topic in TOPICS:
        register_topic(topic)
