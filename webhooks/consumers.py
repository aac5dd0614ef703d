"""Orders finish signals."""

from collections.abc import Sequence

from events.consumers import register
from events.models import Event
from trading.services.legs import unsettled_among

from .lifecycle import finish_if_known
from .models import Signal


def last_of_signals(events: Sequence[Event]) -> list[Event]:
    """The last event of each signal that is still under way and has no open leg any more: it tells
    as much as all of them. A leg that is open now brings an event of its own when it settles.
    """
    by_order = {event.payload["order_id"]: event for event in events}
    legs = Signal.objects.filter(
        state=Signal.State.ROUTED, execution__legs__order__pk__in=by_order
    ).values_list("execution_id", "execution__legs__order__pk")
    last: dict[int, Event] = {}
    for execution_id, order_id in legs:
        found = [by_order[order_id], last.get(execution_id, by_order[order_id])]
        last[execution_id] = max(found, key=lambda event: event.seq or 0)
    open_ones = unsettled_among(last) if last else set()
    ended = [event for execution_id, event in last.items() if execution_id not in open_ones]
    return sorted(ended, key=lambda event: event.seq or 0)


def finish_signal(event: Event) -> None:
    """Handler: finish the signal whose leg this order is, once all its legs are known."""
    signal = (
        Signal.objects.select_related("bot", "execution")
        .filter(state=Signal.State.ROUTED, execution__legs__order__pk=event.payload["order_id"])
        .first()
    )
    if signal is not None:
        finish_if_known(signal)


def register_consumers() -> None:
    """Called once per process when the app is ready."""
    register("webhooks.finish_signal", ("order.updated",), finish_signal, last_of_signals)
