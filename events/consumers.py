"""Durable consumers: how work rises from a lower app to a higher one.

An app registers a name, the event kinds it wants and an idempotent handler. Each consumer has a
cursor row; it runs in the workers on every wake-up and by a sweep, sees each event in order and at
least once, and an event that keeps failing is parked for an operator instead of blocking the rest.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q

from common.clock import now

from .models import ConsumerCursor, Event, ParkedEvent
from .sequencer import last_number

logger = logging.getLogger(__name__)

Handler = Callable[[Event], None]
Choice = Callable[[Sequence[Event]], Sequence[Event]]
PARK_AFTER_FAILURES = 5
BATCH = 200
# The database's passing faults (gone away, dead lock, lock time-out): nothing is wrong with the
# event, so they are repeated and not counted.
PASSING_FAULTS = (OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True)
class Consumer:
    """A registered consumer; ``kinds`` ending in ``.*`` match by prefix.

    ``choose`` picks from a batch of such events, by what is true now and in few statements, those
    that the handler has anything to do for; the others are passed over.
    """

    name: str
    kinds: tuple[str, ...]
    handler: Handler
    choose: Choice | None = None

    @property
    def kinds_query(self) -> Q:
        """Finds the events whose kind is wanted."""
        query = Q(kind__in=[kind for kind in self.kinds if not kind.endswith(".*")])
        for kind in self.kinds:
            if kind.endswith(".*"):
                query |= Q(kind__startswith=kind[:-1])
        return query


_registry: dict[str, Consumer] = {}


def register(
    name: str, kinds: tuple[str, ...], handler: Handler, choose: Choice | None = None
) -> None:
    """Register a consumer, once per process and name (in an app's ``ready``)."""
    _registry[name] = Consumer(name, kinds, handler, choose)


def registered() -> list[Consumer]:
    """All consumers of this process, by name."""
    return [_registry[name] for name in sorted(_registry)]


@dataclass(slots=True)
class _Reading:
    """The batch of events read last: consumers that stand at one place and want the same kinds
    share it.
    """

    key: tuple[int, int, tuple[str, ...]] | None = None
    events: Sequence[Event] = ()

    def batch(self, consumer: Consumer, position: int, end: int) -> Sequence[Event]:
        """What the consumer wants of the events after ``position`` up to ``end``."""
        key = (position, end, consumer.kinds)
        if key != self.key:
            rows = Event.objects.after(position).filter(consumer.kinds_query, seq__lte=end)
            self.key, self.events = key, list(rows[:BATCH])
        return self.events


def run_consumers(consumers: Sequence[Consumer] | None = None) -> int:
    """Let every consumer (or these) catch up with what is numbered now; returns how many events
    were handed out.
    """
    end = last_number()
    positions = dict(ConsumerCursor.objects.values_list("name", "seq"))
    reading = _Reading()
    return sum(
        _catch_up(consumer, positions.get(consumer.name, 0), end, reading)
        for consumer in (registered() if consumers is None else consumers)
    )


def _catch_up(consumer: Consumer, position: int, end: int, reading: _Reading) -> int:
    """Hand out what is new, each wanted event in a transaction of its own together with the cursor.

    A handler's locks are so held for one event only, and never those of two events crosswise.
    """
    handled = 0
    while position < end:
        wanted = reading.batch(consumer, position, end)
        for event in _chosen(consumer, wanted):
            if not _hand_out(consumer, event):
                return handled
            handled += 1
        position = (wanted[-1].seq or end) if len(wanted) == BATCH else end
        _pass_over(consumer.name, position)
    return handled


def _chosen(consumer: Consumer, wanted: Sequence[Event]) -> Sequence[Event]:
    """The events to hand out, in their order; all of them where choosing fails."""
    if consumer.choose is None or not wanted:
        return wanted
    try:
        return consumer.choose(wanted)
    except Exception:  # choosing only saves work
        logger.exception("consumer %s could not choose from %s events", consumer.name, len(wanted))
        return wanted


def _hand_out(consumer: Consumer, event: Event) -> bool:
    """Whether the consumer may go on: the event was handled, here or elsewhere, or parked."""
    try:
        with transaction.atomic():
            cursor = _locked_cursor(consumer.name)
            if cursor.seq < (event.seq or 0):
                consumer.handler(event)
                _advance(cursor, event)
        return True
    except PASSING_FAULTS:
        logger.exception("consumer %s: event %s will be repeated", consumer.name, event.seq)
        return False
    except Exception as error:  # a handler may raise anything; it is counted and parked
        logger.exception("consumer %s failed on event %s", consumer.name, event.seq)
        return _count_failure(consumer, event, error)


@transaction.atomic
def _count_failure(consumer: Consumer, event: Event, error: Exception) -> bool:
    """Count one failure; True when the event was parked and the consumer may pass it."""
    cursor = _locked_cursor(consumer.name)
    cursor.failures += 1
    cursor.last_error = f"{type(error).__name__} on event {event.seq}"
    cursor.save()
    if cursor.failures < PARK_AFTER_FAILURES:
        return False
    ParkedEvent.objects.get_or_create(
        consumer=consumer.name, event=event, defaults={"error": cursor.last_error}
    )
    _advance(cursor, event)
    logger.error("consumer %s: event %s parked", consumer.name, event.seq)
    return True


def _pass_over(name: str, seq: int) -> None:
    """Bring the cursor to ``seq`` where it is not there yet."""
    moved = ConsumerCursor.objects.filter(name=name, seq__lt=seq).update(
        seq=seq, failures=0, updated_at=now()
    )
    if not moved:
        ConsumerCursor.objects.get_or_create(name=name, defaults={"seq": seq})


def _locked_cursor(name: str) -> ConsumerCursor:
    cursor, _ = ConsumerCursor.objects.select_for_update(no_key=True).get_or_create(name=name)
    return cursor


def _advance(cursor: ConsumerCursor, event: Event) -> None:
    cursor.seq = event.seq or cursor.seq
    cursor.failures = 0
    cursor.save()
