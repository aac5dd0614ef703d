"""The event log as one client's stream: what it subscribed to, in order, each event once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from common.principal import Principal
from events.models import Event
from events.stream import may_hear

from .feed import Entry, Feed, Frame, encoded

EmitText = Callable[[str], Awaitable[None]]
EmitFrame = Callable[[Frame], Awaitable[None]]


def topics_of_credential(principal: Principal) -> frozenset[str]:
    """What an event about this caller's session, key or rights carries."""
    user = f"user:{principal.user_id}"
    return frozenset({f"session:{principal.session_id}", principal.key, user})


@dataclass(frozen=True, slots=True)
class Channel:
    """Something a client listens to, by a name of its own within the connection.

    ``make`` gives the frame of an event, None where the event is not for this channel; channels
    with equal ``shared`` give equal frames, which are made once for all clients. With ``topics``
    only events that carry one of them are looked at. ``encode`` makes the text that goes out.
    """

    name: str
    make: Callable[[Event], Frame | None]
    shared: Any
    topics: frozenset[str] | None = None
    encode: Callable[[Frame], str] = encoded

    def text(self, entry: Entry) -> str | None:
        """The event as this channel's frame, None where it is not for it."""
        if self.topics is not None and self.topics.isdisjoint(entry.topics):
            return None
        return entry.text(self.shared, self.make, self.encode)


class Cursor:
    """A place in the log that moves on as its owner reads; one task at a time may use it.

    ``last_id`` is the last number read.
    """

    def __init__(self, principal: Principal, feed: Feed, *, last_id: int) -> None:
        self.principal = principal
        self.last_id = last_id
        self._feed = feed

    async def entries(self) -> AsyncIterator[Entry]:
        """What the principal may hear, up to the log's end; an entry is read once the next one is
        asked for. Raises DatabaseError.
        """
        while True:
            entries, next_id = await self._feed.page(self.last_id)
            for entry in entries:
                if self.may_hear(entry):
                    yield entry
                self.last_id = entry.seq
            if next_id <= self.last_id and not entries:
                return
            self.last_id = max(self.last_id, next_id)

    def may_hear(self, entry: Entry) -> bool:
        """Whether an event of the own organisation may be told."""
        return not entry.is_hidden and may_hear(self.principal, entry.account_ids, entry.topics)


class EventStream(Cursor):
    """A cursor and the channels it serves; one task at a time may use it.

    ``resume_from`` is where the client said it stopped: a
    channel subscribed later is first given what it missed since then, so the order of subscribing
    and resuming does not matter.
    """

    def __init__(
        self,
        principal: Principal,
        feed: Feed,
        emit: EmitText,
        *,
        last_id: int,
        resume_from: int | None,
    ) -> None:
        super().__init__(principal, feed, last_id=last_id)
        self.resume_from = resume_from
        self._emit = emit
        self._channels: dict[str, Channel] = {}

    @property
    def channel_count(self) -> int:
        """How many channels are subscribed."""
        return len(self._channels)

    async def subscribe(self, channel: Channel, answer: Frame, emit: EmitFrame) -> None:
        """Serve a channel from now on, after ``answer`` and what it missed; twice is once."""
        is_new = channel.name not in self._channels
        since = self.last_id if self.resume_from is None else self.resume_from
        await emit({**answer, "event_id": since if is_new else self.last_id})
        if is_new:
            self._channels[channel.name] = channel
            await self._replay(channel, since)

    def serve(self, channel: Channel) -> None:
        """Serve a channel from the cursor on, whatever it missed; twice is once."""
        self._channels.setdefault(channel.name, channel)

    def unsubscribe(self, name: str) -> bool:
        """Serve a channel no longer; whether it was served."""
        return self._channels.pop(name, None) is not None

    def go_back(self, after_id: int) -> None:
        """Every channel is given again what came after ``after_id``."""
        self.last_id = self.resume_from = after_id

    async def catch_up(self) -> None:
        """Read on to the log's end. Raises DatabaseError, and what ``emit`` raises."""
        async with aclosing(self.entries()) as entries:
            async for entry in entries:
                await self._give(entry, self._channels.values())

    async def _replay(self, channel: Channel, since: int) -> None:
        """Give one channel what lies between ``since`` and the cursor."""
        while since < self.last_id:
            entries, next_id = await self._feed.page(since)
            for entry in entries:
                if entry.seq <= self.last_id and self.may_hear(entry):
                    await self._give(entry, (channel,))
            if next_id == since:
                return
            since = next_id

    async def _give(self, entry: Entry, channels: Iterable[Channel]) -> None:
        for channel in channels:
            text = channel.text(entry)
            if text is not None:
                await self._emit(text)
