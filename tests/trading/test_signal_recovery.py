"""A crash between any two steps of a signal's way loses neither the alert nor its orders."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError

from bots.services import set_status
from common.clock import now
from events import consumers
from events.models import ConsumerCursor, Event, ParkedEvent
from events.sequencer import number_events
from monitoring.models import Alert
from monitoring.tasks import report_parked_events
from tests.trading.conftest import Desk
from tests.trading.crashes import Killed, killed
from tests.trading.test_signal_to_ledger import send
from trading import states
from trading.models import Order
from trading.services import lanes
from trading.services.execution import claim_orders
from webhooks import routing, services
from webhooks.consumers import last_of_signals
from webhooks.models import Signal
from webhooks.tasks import sweep


def test_orders_that_exist_belong_to_their_signal_however_late_it_is_found(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    send(desk)
    Signal.objects.update(state="received", execution=None)
    desk.run_orders()
    set_status(principal=desk.principal, bot=desk.bot, status="STOPPED")
    desk.settle()
    Signal.objects.update(received_at=now() - timedelta(seconds=120))
    sweep()
    signal = Signal.objects.get()
    assert (signal.state, signal.reason_code, signal.success_count) == ("finished", "", 1)
    assert Order.objects.count() == 1


def test_a_crash_while_a_signal_is_tied_to_its_orders_leaves_none_and_it_is_executed_later(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    with monkeypatch.context() as moment:
        moment.setattr(routing, "_tie", killed)
        with pytest.raises(Killed):
            send(desk)
    assert (Signal.objects.get().state, Order.objects.count()) == ("received", 0)
    Signal.objects.update(received_at=now() - timedelta(seconds=6))
    sweep()
    assert (Signal.objects.get().state, Order.objects.count()) == ("routed", 1)


def test_an_alert_stored_before_a_crash_is_executed(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    with monkeypatch.context() as moment:
        moment.setattr(services, "accept", killed)
        with pytest.raises(Killed):
            send(desk)
    assert send(desk).is_duplicate
    Signal.objects.update(received_at=now() - timedelta(seconds=6))
    sweep()
    assert (Signal.objects.get().state, Order.objects.count()) == ("routed", 1)


def test_an_alert_found_a_minute_later_is_stale(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    with monkeypatch.context() as moment:
        moment.setattr(services, "accept", killed)
        with pytest.raises(Killed):
            send(desk)
    Signal.objects.update(received_at=now() - timedelta(seconds=61))
    sweep()
    assert (Signal.objects.get().reason_code, Order.objects.count()) == ("stale", 0)


def test_a_signal_is_looked_at_once_no_leg_of_it_is_open(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    send(desk)
    lanes.here.keep()
    claim_orders(list(Order.objects.values_list("pk", flat=True)))
    number_events()
    events = list(Event.objects.filter(kind="order.updated").order_by("seq"))
    assert [event.payload["state"] for event in events] == [states.SENDING] * 2
    first, second = Order.objects.order_by("pk")
    Order.objects.filter(pk=first.pk).update(state=states.FILLED)
    assert last_of_signals(events) == []
    Order.objects.filter(pk=second.pk).update(state=states.FILLED)
    assert last_of_signals(events) == events[-1:]


def test_an_event_that_keeps_failing_is_parked_and_reported(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    desk.settle()
    handled: list[int] = []

    def handler(event: object) -> None:
        if not handled:
            handled.append(0)
        if len(handled) == 1:
            raise IntegrityError("twice")

    consumer = consumers.Consumer("picky", ("account.*",), handler)
    for _ in range(consumers.PARK_AFTER_FAILURES):
        assert ParkedEvent.objects.count() == 0
        consumers.run_consumers([consumer])
    parked = ParkedEvent.objects.get()
    assert ConsumerCursor.objects.get(name="picky").seq >= (parked.event.seq or 0)
    report_parked_events()
    assert Alert.objects.get(code="event_parked").severity == "critical"
