"""The sequencer: gives committed events their numbers, one sequencer at a time."""

import logging

from channels.layers import get_channel_layer
from django.db import connection, transaction
from redis.exceptions import RedisError

from common.background import BackgroundLoop

from .models import Event, Sequence

logger = logging.getLogger(__name__)

EVENTS = "events"
BATCH = 500
_loop = BackgroundLoop("announcements")

# One statement, because an update by the ORM costs more per row than everything else here.
_TABLE = Event._meta.db_table
_NUMBER = f"""
    UPDATE {_TABLE} SET seq = %s + waiting.place
    FROM (
        SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS place
        FROM {_TABLE} WHERE seq IS NULL ORDER BY id LIMIT %s
    ) AS waiting
    WHERE {_TABLE}.id = waiting.id
    RETURNING organisation_id
"""  # noqa: S608


def stream_group(organisation_id: int) -> str:
    """The channel-layer group that is told about new events of an organisation."""
    return f"events.org.{organisation_id}"


def number_events() -> int:
    """Number all committed events and announce them; returns how many.

    The row lock on the sequence makes the sequencer single. A row committed late gets a later
    number, and only numbered rows are read, so readers never skip one.
    """
    total = 0
    while True:
        organisation_ids, last = _number_batch()
        total += len(organisation_ids)
        _announce(set(organisation_ids), last)
        if len(organisation_ids) < BATCH:
            return total


@transaction.atomic
def _number_batch() -> tuple[list[int], int]:
    """The organisation of each event just numbered, and the last number given out."""
    sequence, _ = Sequence.objects.select_for_update(no_key=True).get_or_create(name=EVENTS)
    with connection.cursor() as cursor:
        cursor.execute(_NUMBER, [sequence.last, BATCH])
        numbered = [row[0] for row in cursor.fetchall()]
    if numbered:
        sequence.last += len(numbered)
        sequence.save(update_fields=["last"])
    return numbered, sequence.last


def _announce(organisation_ids: set[int], seq: int) -> None:
    """Tell live streams to read on. A lost announcement is made good by their own periodic look."""
    layer = get_channel_layer()
    for organisation_id in organisation_ids:
        message = {"type": "events.numbered", "seq": seq}
        try:
            _loop.run(layer.group_send(stream_group(organisation_id), message))
        except (OSError, RedisError) as error:
            logger.warning("live streams not told about event %s: %s", seq, type(error).__name__)


def last_number() -> int:
    """The highest number given out so far; 0 before the first event."""
    return Sequence.objects.filter(name=EVENTS).values_list("last", flat=True).first() or 0
