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

    def wants(self, kind: str) -> bool:
        """Whether events of this kind are for it."""
        return any(
            kind.startswith(each[:-1]) if each.endswith(".*") else kind == each
            for each in self.kinds
        )


_registry: dict[str, Consumer] = {}


def register(
    name: str, kinds: tuple[str, ...], handler: Handler, choose: Choice | None = None
) -> None:
    """Register a consumer, once per process and name (in an app's ``ready``)."""
    _registry[name] = Consumer(name, kinds, handler, choose)


def registered() -> list[Consumer]:
    """All consumers of this process, by name."""
    return [_registry[name] for name in sorted(_registry)]


def run_consumers(consumers: Sequence[Consumer] | None = None) -> int:
    """Let every consumer (or these) catch up with what is numbered now; returns how many events
    were handed out. Consumers that stand at one place read the log together.
    """
    end = last_number()
    positions = dict(ConsumerCursor.objects.values_list("name", "seq"))
    together: dict[int, list[Consumer]] = {}
    for consumer in registered() if consumers is None else consumers:
        together.setdefault(positions.get(consumer.name, 0), []).append(consumer)
    return sum(_catch_up(members, position, end) for position, members in together.items())


def _catch_up(consumers: list[Consumer], position: int, end: int) -> int:
    """Hand out what is new, each wanted event in a transaction of its own together with the cursor.

    A handler's locks are so held for one event only, and never those of two events crosswise.
    """
    handled = 0
    while position < end and consumers:
        wanted = Event.objects.after(position).filter(_wanted_by(consumers), seq__lte=end)
        events = list(wanted[:BATCH])
        position = (events[-1].seq or end) if len(events) == BATCH else end
        going_on = []
        for consumer in consumers:
            count, goes_on = _hand_out_all(consumer, events)
            handled += count
            if goes_on:
                going_on.append(consumer)
        consumers = going_on
        _pass_over([consumer.name for consumer in consumers], position)
    return handled


def _wanted_by(consumers: Sequence[Consumer]) -> Q:
    """Finds the events whose kind one of them wants."""
    kinds = {kind for consumer in consumers for kind in consumer.kinds}
    query = Q(kind__in=sorted(kind for kind in kinds if not kind.endswith(".*")))
    for kind in sorted(kinds):
        if kind.endswith(".*"):
            query |= Q(kind__startswith=kind[:-1])
    return query


def _hand_out_all(consumer: Consumer, events: Sequence[Event]) -> tuple[int, bool]:
    """How many of the events the consumer was handed, and whether it may go on."""
    handled = 0
    for event in _chosen(consumer, [each for each in events if consumer.wants(each.kind)]):
        if not _hand_out(consumer, event):
            return handled, False
        handled += 1
    return handled, True


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


def _pass_over(names: Sequence[str], seq: int) -> None:
    """Bring these cursors to ``seq`` where they are not there yet."""
    rows = ConsumerCursor.objects.filter(name__in=names)
    moved = rows.filter(seq__lt=seq).update(seq=seq, failures=0, updated_at=now())
    if moved < len(names):
        known = set(rows.values_list("name", flat=True))
        new = [ConsumerCursor(name=name, seq=seq) for name in names if name not in known]
        ConsumerCursor.objects.bulk_create(new, ignore_conflicts=True)


def _locked_cursor(name: str) -> ConsumerCursor:
    cursor, _ = ConsumerCursor.objects.select_for_update(no_key=True).get_or_create(name=name)
    return cursor


def _advance(cursor: ConsumerCursor, event: Event) -> None:
    cursor.seq = event.seq or cursor.seq
    cursor.failures = 0
    cursor.save()
