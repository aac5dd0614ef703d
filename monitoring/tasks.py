"""Signs of life; messages that go out."""

import socket
from typing import Any

from celery import shared_task

from common.clock import now
from common.single_flight import single_flight
from events.models import ParkedEvent

from .alerts import raise_alert
from .delivery import deliver_due
from .delivery import forget_messages as forget_old_messages
from .models import Alert, Heartbeat, beat_of
from .notices import DELIVER

MAINTENANCE = "maintenance"
_deliver = single_flight(deliver_due)
_forget = single_flight(forget_old_messages)


@shared_task(name="monitoring.heartbeat")
def heartbeat(*, queue: str = MAINTENANCE, **_: Any) -> None:
    """Write that beat, the broker and a worker of this queue are alive."""
    Heartbeat.objects.update_or_create(
        name=beat_of(queue), defaults={"at": now(), "details": {"host": socket.gethostname()}}
    )
    if queue == MAINTENANCE:
        report_parked_events()


def report_parked_events() -> None:
    """Raise an alert for every event that a consumer gave up on and nobody has settled."""
    for parked in ParkedEvent.objects.filter(settled_at=None).select_related("event"):
        raise_alert(
            "event_parked",
            message=f"{parked.consumer} gave up on event {parked.event.seq}: {parked.error}",
            organisation_id=parked.event.organisation_id,
            subject=f"{parked.consumer}:{parked.event_id}",
            severity=Alert.Severity.CRITICAL,
        )


@shared_task(name=DELIVER)
def deliver(**_: Any) -> None:
    """Send the messages that wait; one run per process, so that it never holds a second thread."""
    _deliver()


@shared_task(name="monitoring.forget_messages")
def forget_messages(**_: Any) -> None:
    """Drop messages that were told long ago."""
    _forget()
