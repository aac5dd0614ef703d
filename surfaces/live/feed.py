"""One reading of the log for all live clients of a process.

A feed follows the log of one organisation while somebody listens and keeps its newest entries. A
client has no queue of its own: it has a cursor, and asks for what comes after it. What is not kept
any more is read from the log, so a client that resumes far back and one at the head do the same
thing, and nothing can fall between the two.
"""

import asyncio
import contextlib
import json
import logging
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError
from redis.exceptions import RedisError

from events.models import Event
from events.sequencer import last_number, stream_group
from events.stream import PAGE, account_ids_of, bounds, read_organisation

logger = logging.getLogger(__name__)

# A lost announcement is made good by looking anyway.
LOOK_SECONDS = 1.0
KEPT_ENTRIES = 2_000
# Sign-ins and keys are nobody else's business: these events are looked at and never shown.
HIDDEN_KINDS = ("session.", "api_key.")

Frame = dict[str, Any]

read_log = database_sync_to_async(read_organisation, thread_sensitive=False)
current_number = database_sync_to_async(last_number, thread_sensitive=False)
current_bounds = database_sync_to_async(bounds, thread_sensitive=False)


def encoded(frame: Frame) -> str:
    """A frame as it goes out."""
    return json.dumps(frame, separators=(",", ":"))


class Entry:
    """An event with the frames made of it: each kind of frame is made and encoded once."""

    __slots__ = ("_frames", "account_ids", "event", "is_hidden", "seq", "topics")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.seq = event.seq or 0
        self.topics = frozenset(event.topics)
        self.account_ids = account_ids_of(event.topics)
        self.is_hidden = event.kind.startswith(HIDDEN_KINDS)
        self._frames: dict[Hashable, str | None] = {}

    def text(
        self,
        name: Hashable,
        make: Callable[[Event], Frame | None],
        encode: Callable[[Frame], str] = encoded,
    ) -> str | None:
        """The encoded frame that ``make`` gives for the event; one for all who use ``name``."""
        if name not in self._frames:
            frame = make(self.event)
            self._frames[name] = None if frame is None else encode(frame)
        return self._frames[name]


class Listener(Protocol):
    """Somebody who follows a feed; both calls come from the feed's own loop and must not wait."""

    def news(self, count: int) -> None:
        """So many entries more can be had; 0 when the feed has only looked."""

    def doubt(self, topics: frozenset[str]) -> None:
        """A credential with one of these topics may be worth nothing any more."""


class Feed:
    """The log of one organisation, read on while there are listeners."""

    def __init__(self, organisation_id: int) -> None:
        self._organisation_id = organisation_id
        self._entries: list[Entry] = []
        # Every event of the organisation later than the floor is kept, up to the head.
        self._floor = self._head = 0
        self._listeners: set[Listener] = set()
        self._news = asyncio.Event()
        self._started: asyncio.Task[None] = asyncio.create_task(self._start())
        self._tasks: list[asyncio.Task[None]] = []

    async def ready(self) -> None:
        """Return once the feed reads; raises DatabaseError when the log cannot be read."""
        await asyncio.shield(self._started)

    async def _start(self) -> None:
        self._floor = self._head = await current_number()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._hear())]

    async def end(self) -> None:
        """Stop reading."""
        tasks = [self._started, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, listener: Listener) -> None:
        """Tell a listener from now on."""
        self._listeners.add(listener)

    def remove(self, listener: Listener) -> bool:
        """Tell a listener no longer; whether nobody is left."""
        self._listeners.discard(listener)
        return not self._listeners

    async def page(self, after: int) -> tuple[Sequence[Entry], int]:
        """Some entries later than ``after``, in order, and the number to go on from.

        The number is ``after`` itself where there is nothing more. Raises DatabaseError.
        """
        if after >= self._floor:
            first = bisect_right(self._entries, after, key=_seq)
            entries = self._entries[first:]
            return entries, entries[-1].seq if entries else after
        floor = self._floor
        rows = [Entry(event) for event in await read_log(self._organisation_id, after)]
        # Without a row there is nothing up to the floor, and what is later is kept.
        return rows, rows[-1].seq if rows else floor

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            self._news.clear()
            try:
                await self._read()
            except DatabaseError:
                logger.exception("live channels: the log could not be read; trying again")
                await asyncio.sleep(LOOK_SECONDS)

    async def _read(self) -> None:
        """Take what is new and tell the listeners, also when nothing was."""
        while True:
            fresh = [Entry(event) for event in await read_log(self._organisation_id, self._head)]
            if fresh:
                self._keep(fresh)
            for listener in list(self._listeners):
                for entry in fresh:
                    if entry.is_hidden:
                        listener.doubt(entry.topics)
                listener.news(len(fresh))
            if len(fresh) < PAGE:
                return

    def _keep(self, fresh: list[Entry]) -> None:
        self._head = fresh[-1].seq
        kept = [*self._entries, *fresh]
        surplus = len(kept) - KEPT_ENTRIES
        if surplus > 0:
            self._floor = kept[surplus - 1].seq
            kept = kept[surplus:]
        self._entries = kept

    async def _hear(self) -> None:
        """Wait for the sequencer's announcements; without a channel layer the look remains."""
        group = stream_group(self._organisation_id)
        while not _is_cancelled():
            try:
                await self._hear_of(group)
            except (OSError, RedisError) as error:
                logger.warning("live channels hear nothing: %s", type(error).__name__)
                await asyncio.sleep(LOOK_SECONDS)

    async def _hear_of(self, group: str) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(group, channel)
        try:
            while not _is_cancelled():
                await layer.receive(channel)
                self._news.set()
        finally:
            with contextlib.suppress(OSError, RedisError):
                await layer.group_discard(group, channel)


def _is_cancelled() -> bool:
    """Whether the running task was asked to end. The Redis client waits with Python 3.11's
    ``wait_for``, which loses a cancel that comes together with what it waited for.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _seq(entry: Entry) -> int:
    return entry.seq


_feeds: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Feed]]" = WeakKeyDictionary()


async def join(organisation_id: int, listener: Listener) -> Feed:
    """The running loop's feed of an organisation, which tells ``listener`` from now on.

    Raises DatabaseError. Whoever joins has to :func:`leave`.
    """
    feeds = _feeds.setdefault(asyncio.get_running_loop(), {})
    feed = feeds.get(organisation_id)
    if feed is None:
        feed = feeds[organisation_id] = Feed(organisation_id)
    feed.add(listener)
    try:
        await feed.ready()
    except BaseException:
        await leave(organisation_id, listener)
        raise
    return feed


async def leave(organisation_id: int, listener: Listener) -> None:
    """Tell a listener no longer; a feed without listeners ends."""
    feeds = _feeds.get(asyncio.get_running_loop(), {})
    feed = feeds.get(organisation_id)
    if feed is not None and feed.remove(listener):
        del feeds[organisation_id]
        await feed.end()
