"""What people may be told of: each app adds its topics, a durable consumer writes the messages.

A topic says which events it is about and puts one into words. An organisation's channels choose
topics; an event that no channel wants costs nothing but a look at the batch it comes in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from common.redaction import redact
from common.wake import Coalesced, once_on_commit
from events.consumers import register
from events.models import Event

from .models import Alert, NotificationChannel, OutgoingMessage

CONSUMER = "monitoring.notices"
DELIVER = "monitoring.deliver"
TITLE_LENGTH = 200
BODY_LENGTH = 2_000
_deliverer = Coalesced(DELIVER, 0.5)


@dataclass(frozen=True, slots=True)
class Notice:
    """An event in words."""

    title: str
    body: str
    severity: str = Alert.Severity.INFO


@dataclass(frozen=True, slots=True)
class Topic:
    """Something to be told of: events of these kinds whose payload ``concerns`` it, in the words of
    ``write``. An event is of one topic at most.
    """

    name: str
    label: str
    kinds: tuple[str, ...]
    write: Callable[[Event], Notice]
    concerns: Callable[[dict[str, Any]], bool] = lambda payload: True


_topics: dict[str, Topic] = {}


def register_topic(topic: Topic) -> None:
    """Add a topic, once per process and name (in an app's ``ready``)."""
    _topics[topic.name] = topic
    kinds = {kind for each in _topics.values() for kind in each.kinds}
    register(CONSUMER, tuple(sorted(kinds)), tell, wanted)


def topics() -> list[Topic]:
    """All topics, in the order of their names."""
    return [_topics[name] for name in sorted(_topics)]


def topic_of(event: Event) -> Topic | None:
    """The topic an event is of."""
    return next(
        (
            topic
            for topic in topics()
            if event.kind in topic.kinds and topic.concerns(event.payload)
        ),
        None,
    )


def wanted(events: Sequence[Event]) -> list[Event]:
    """Those of a batch that some channel wants; one query."""
    rows = NotificationChannel.objects.filter(
        organisation_id__in={event.organisation_id for event in events}, is_enabled=True
    )
    asked: dict[int, set[str]] = {}
    for organisation_id, names in rows.values_list("organisation_id", "topics"):
        asked.setdefault(organisation_id, set()).update(names)
    if not asked:
        return []
    return [
        event
        for event in events
        if (topic := topic_of(event)) and topic.name in asked.get(event.organisation_id, ())
    ]


def tell(event: Event) -> None:
    """Handler: one message for each channel of the event's organisation that wants its topic and
    was there when it happened.
    """
    topic = topic_of(event)
    channels = NotificationChannel.objects.filter(
        organisation_id=event.organisation_id, is_enabled=True, created_at__lte=event.created_at
    )
    told = [row for row in channels if topic is not None and topic.name in row.topics]
    if topic is None or not told:
        return
    notice = topic.write(event)
    OutgoingMessage.objects.bulk_create(
        [
            OutgoingMessage(
                channel=channel,
                event=event,
                topic=topic.name,
                severity=notice.severity,
                title=redact(notice.title)[:TITLE_LENGTH],
                body=redact(notice.body)[:BODY_LENGTH],
                happened_at=event.created_at,
            )
            for channel in told
        ],
        ignore_conflicts=True,
    )
    once_on_commit(_deliverer.wake)


def _alert_topic(severity: str) -> Topic:
    def write(event: Event) -> Notice:
        facts = event.payload
        return Notice(f"Alert: {facts['code']}", str(facts["message"]), severity)

    return Topic(
        name=f"alerts_{severity}",
        label=f"Alerts: {severity}",
        kinds=("alert.raised",),
        write=write,
        concerns=lambda payload: bool(payload.get("severity") == severity),
    )


def _write_resolved(event: Event) -> Notice:
    return Notice(f"Over: {event.payload['code']}", str(event.payload["message"]))


def register_topics() -> None:
    """Called once per process when the app is ready."""
    for severity in Alert.Severity.values:
        register_topic(_alert_topic(severity))
    register_topic(
        Topic("alerts_over", "Alerts: the condition is gone", ("alert.resolved",), _write_resolved)
    )
