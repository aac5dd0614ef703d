"""Sending what waits: channel by channel side by side, several tries, many at once as one message.

Nothing here touches an order: it runs on its own queue and on threads of its own, one slow channel
holds one of these for ten seconds at most, and one that fails is left alone for longer each time.
"""

import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from common.clock import now
from common.crypto import SealError

from .alerts import raise_alert, resolve_alerts
from .models import Alert, NotificationChannel, OutgoingMessage
from .sending import SECONDS, SENT, UNREADABLE, send, told

SIDE_BY_SIDE = 4
LEASE = timedelta(seconds=6 * SECONDS)
MINUTE = timedelta(minutes=1)
MOST_A_MINUTE = 10
MOST_TOGETHER = 500
SHOWN_TOGETHER = 20
# After the first, second, ... failure in a row.
PAUSES = tuple(timedelta(seconds=each) for each in (10, 60, 300, 1800))
MOST_TRIES = 5
KEPT_FOR = timedelta(days=30)
BATCH = 5_000
UNDELIVERED = "notification_undelivered"
_WEIGHT = {Alert.Severity.INFO: 0, Alert.Severity.WARNING: 1, Alert.Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True)
class Load:
    """The messages that go out through a channel as one."""

    channel: NotificationChannel
    messages: list[OutgoingMessage]


def deliver_due() -> int:
    """Send whatever waits and may go now; returns how many messages went out. Safe to run in
    several processes: a channel is one sender's at a time.
    """
    sent = 0
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="notifications") as threads:
        while loads := list(islice(_claimed(), SIDE_BY_SIDE)):
            going: dict[Future[str], Load] = {}
            for load in loads:
                going[threads.submit(_send, load, _address(load.channel))] = load
            for future in as_completed(going):
                sent += _settle(going[future], future.result())
    return sent


def _claimed() -> Iterator[Load]:
    """Loads of channels that are this process's from now on, sound channels first."""
    waiting = OutgoingMessage.objects.filter(
        channel=OuterRef("pk"), state=OutgoingMessage.State.WAITING
    )
    free = NotificationChannel.objects.free().filter(Exists(waiting))
    for channel in free.order_by("failures", "last_tried_at", "pk"):
        rows = NotificationChannel.objects.free().filter(pk=channel.pk)
        if not rows.update(leased_until=now() + LEASE):
            continue
        messages = _next_messages(channel)
        if messages:
            yield Load(channel, messages)


def _next_messages(channel: NotificationChannel) -> list[OutgoingMessage]:
    """What goes out next: one message, or all that wait once the minute has one place left or the
    channel failed last. None, and the channel is let go until there is a place, where it has none.
    """
    recent = dict(
        channel.messages.filter(
            state=OutgoingMessage.State.SENT, settled_at__gt=now() - MINUTE
        ).values_list("sending", "settled_at")
    )
    if len(recent) >= MOST_A_MINUTE:
        _let_go(channel, min(recent.values()) + MINUTE)
        return []
    is_alone = len(recent) < MOST_A_MINUTE - 1 and not channel.failures
    waiting = channel.messages.filter(state=OutgoingMessage.State.WAITING).order_by("pk")
    found = list(waiting[: 1 if is_alone else MOST_TOGETHER])
    if not found:
        _let_go(channel, None)
    return found


def _let_go(channel: NotificationChannel, held_until: datetime | None) -> None:
    NotificationChannel.objects.filter(pk=channel.pk).update(
        leased_until=None, held_until=held_until
    )


def _address(channel: NotificationChannel) -> str:
    """Empty where the stored one cannot be opened."""
    try:
        return channel.open_address()
    except SealError:
        return ""


def _send(load: Load, address: str) -> str:
    """On a thread without a database."""
    if not address:
        return UNREADABLE
    title, body = _words(load.messages)
    worst = max((row.severity for row in load.messages), key=lambda each: _WEIGHT[each])
    return send(address, title=title, body=body, severity=worst)


def _words(messages: list[OutgoingMessage]) -> tuple[str, str]:
    """Title and body of one message, or of one that stands for many."""
    if len(messages) == 1:
        (only,) = messages
        return only.title, f"{only.body}\n{_moment(only)}"
    counts = Counter(row.title for row in messages)
    lines = [f"{count} × {title}" for title, count in counts.most_common(SHOWN_TOGETHER)]
    if len(counts) > SHOWN_TOGETHER:
        lines.append(f"and {len(counts) - SHOWN_TOGETHER} other kinds")
    newest = messages[-1]
    lines.append(f"The newest: {newest.body}")
    return f"{len(messages)} messages", "\n".join([*lines, _moment(newest)])


def _moment(message: OutgoingMessage) -> str:
    return f"{message.happened_at:%Y-%m-%d %H:%M:%S} UTC"


@transaction.atomic
def _settle(load: Load, result: str) -> int:
    """Write what came of a sending on its messages and its channel; how many went out."""
    moment, numbers = now(), [row.pk for row in load.messages]
    note_result(load.channel, result)
    NotificationChannel.objects.filter(pk=load.channel.pk).update(leased_until=None)
    rows = OutgoingMessage.objects.filter(pk__in=numbers, state=OutgoingMessage.State.WAITING)
    rows.update(tries=F("tries") + 1, result=result)
    if result == SENT:
        rows.update(state=OutgoingMessage.State.SENT, sending=uuid.uuid4(), settled_at=moment)
        return len(numbers)
    given_up = rows.filter(tries__gte=MOST_TRIES).update(
        state=OutgoingMessage.State.FAILED, settled_at=moment
    )
    if given_up:
        _report(load.channel, given_up, result)
    return 0


def note_result(channel: NotificationChannel, result: str) -> None:
    """Write on a channel what came of a sending, and when the next may be tried."""
    moment = now()
    rows = NotificationChannel.objects.filter(pk=channel.pk)
    if result == SENT:
        rows.update(
            failures=0, last_result=result, last_tried_at=moment, last_sent_at=moment,
            held_until=None,
        )  # fmt: skip
        resolve_alerts(
            UNDELIVERED, organisation_id=channel.organisation_id, subject=f"channel:{channel.pk}"
        )
        return
    pause = PAUSES[min(channel.failures, len(PAUSES) - 1)]
    rows.update(
        failures=F("failures") + 1, last_result=result, last_tried_at=moment,
        held_until=moment + pause,
    )  # fmt: skip


def _report(channel: NotificationChannel, count: int, result: str) -> None:
    raise_alert(
        UNDELIVERED,
        message=f"The channel {channel.name} did not take {count} messages: {told(result)}.",
        organisation_id=channel.organisation_id,
        subject=f"channel:{channel.pk}",
    )


def forget_messages() -> int:
    """Drop what was told, or given up, a month ago; returns how many. In batches, so that nobody
    waits long.
    """
    old = OutgoingMessage.objects.filter(settled_at__lt=now() - KEPT_FOR)
    count = 0
    while numbers := list(old.values_list("pk", flat=True)[:BATCH]):
        OutgoingMessage.objects.filter(pk__in=numbers).delete()
        count += len(numbers)
    return count
