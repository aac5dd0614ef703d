"""Private streams: what a venue tells about an account's orders and trades as it happens.

A stream is quick and forgets: what happened while it was down is never told again, messages may
come twice, late or in any order. Whoever listens books what comes as often as it comes, and asks
the venue after every gap.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from common.clock import now_ms
from common.crypto import SealError
from common.errors import DomainError

from .connection import VenueConnection
from .limiter import VenueLimiter
from .outcomes import VenueError
from .protocol import AccountRef, VenueOrder, VenueTrade
from .quirks import Quirks, quirks_of
from .stream_session import Session, reason_of
from .venues import Venue, resolve

logger = logging.getLogger(__name__)

CONNECTING, LIVE, DOWN = "connecting", "live", "down"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
# A key that the venue refuses, or a host nobody declared, is not tried again at once.
REFUSALS = frozenset({"key_refused", "permission_denied", "host_not_declared", "key_unreadable"})
REFUSED_PAUSE = 60.0
# A stream that lived this long has earned a quick second dial.
PROVEN_SECONDS = 10.0
DECLARED_DIALS_PER_SECOND = 50.0
DIAL_BURST = 50


@dataclass(frozen=True, slots=True)
class News:
    """What one account's stream told at once. ``hint`` when it is not to be booked, but asked for
    at the venue.
    """

    account_id: int
    orders: tuple[VenueOrder, ...] = ()
    trades: tuple[VenueTrade, ...] = ()
    hint: bool = False


@dataclass(slots=True)
class StreamState:
    """How a stream does; times in milliseconds since the epoch, 0 for never. ``told_ms`` is when it
    last told an order or a trade, ``reconnects`` counts dials after the first, ``error`` says why
    it is not live.
    """

    account_id: int
    state: str = CONNECTING
    connected_ms: int = 0
    told_ms: int = 0
    reconnects: int = 0
    error: str = ""


class Listener(Protocol):
    """Who is told; called on the gateway's loop, so it must return at once."""

    def news(self, news: News) -> None:
        """Something happened at the venue."""
        ...

    def gap(self, account_id: int, reason: str) -> None:
        """Something before this moment may not have been told."""
        ...


Connect = Callable[[AccountRef], Awaitable[VenueConnection]]


def has_stream(venue: Venue) -> bool:
    """Whether accounts at this venue get a private stream."""
    return bool(quirks_of(venue.ccxt_id).stream)


class AccountStream:
    """One account's stream on the gateway's loop: dials, reads, dials again, until it is closed."""

    def __init__(self, ref: AccountRef, connect: Connect, listener: Listener) -> None:
        self.ref = ref
        self.state = StreamState(ref.account_id)
        self._connect = connect
        self._listener = listener
        self._quirks: Quirks = quirks_of(resolve(ref.venue, is_testnet=ref.is_testnet).ccxt_id)
        self._session: Session | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Hang up for good."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def redial(self, reason: str) -> None:
        """Give the connection up, where there is one, and make another."""
        if self._session is not None:
            self._session.end(reason)

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                await self._live_once()
                code = "ended"
            except asyncio.CancelledError:
                raise
            except Exception as error:  # the outer loop of a stream: whatever it was, dial again
                code = self._judged(error)
            was_live = self.state.state == LIVE
            self.state.state, self.state.error = DOWN, code
            if was_live:
                self._listener.gap(self.ref.account_id, code)
            if time.monotonic() - began > PROVEN_SECONDS:
                pause = FIRST_PAUSE
            wait = max(pause, REFUSED_PAUSE) if code in REFUSALS else pause
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE)
            self.state.reconnects += 1

    def _judged(self, error: Exception) -> str:
        if isinstance(error, (VenueError, DomainError)):
            code = error.code
        elif isinstance(error, SealError):
            code = "key_unreadable"
        else:
            code = reason_of(error, self._quirks)
        if code == "unclear_answer":
            logger.error("stream of account %s failed", self.ref.account_id, exc_info=error)
        else:
            logger.info("stream of account %s is down: %s", self.ref.account_id, code)
        return code

    async def _live_once(self) -> None:
        """One connection from its dial to its end, which raises."""
        self.state.state = CONNECTING
        connection = await self._connect(self.ref)
        self._session = Session(connection, self.ref.secrets(), self)
        try:
            await self._session.run()
        finally:
            self._session = None

    def on_live(self) -> None:
        """The session listens: what happened before is to be asked for."""
        self.state.state, self.state.error = LIVE, ""
        self.state.connected_ms = now_ms()
        self._listener.gap(self.ref.account_id, "connected")

    def on_gap(self, reason: str) -> None:
        """The session could not read or keep something."""
        self._listener.gap(self.ref.account_id, reason)

    def on_rows(self, orders: Sequence[VenueOrder] = (), trades: Sequence[VenueTrade] = ()) -> None:
        """The session read something."""
        self.state.told_ms = now_ms()
        hint = self._quirks.stream != "trades"
        self._listener.news(News(self.ref.account_id, tuple(orders), tuple(trades), hint))


class StreamHub:
    """All streams of this process; everything but :meth:`states` runs on the gateway's loop."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._streams: dict[int, AccountStream] = {}
        self._dials: dict[str, VenueLimiter] = {}

    async def hold(self, refs: Iterable[AccountRef], listener: Listener) -> None:
        """Have a stream for exactly these accounts; one whose reference changed is made anew."""
        wanted = {ref.account_id: ref for ref in refs}
        leaving = [
            stream for number, stream in self._streams.items() if wanted.get(number) != stream.ref
        ]
        for stream in leaving:
            del self._streams[stream.ref.account_id]
        await asyncio.gather(*(stream.close() for stream in leaving))
        for number, ref in wanted.items():
            if number not in self._streams:
                self._streams[number] = AccountStream(ref, self._dialled, listener)

    async def _dialled(self, ref: AccountRef) -> VenueConnection:
        """The account's venue, once its markets are loaded and it may be dialled; raises
        VenueError.
        """
        connection = await self._connect(ref)
        await connection.public()
        await self._limiter(connection).acquire()
        connection.refuse_under_ban()
        return connection

    def _limiter(self, connection: VenueConnection) -> VenueLimiter:
        venue = connection.venue
        if venue.key not in self._dials:
            rate = connection.quirks.stream_dials_per_second
            if venue.is_declared:
                rate = max(rate, DECLARED_DIALS_PER_SECOND)
            self._dials[venue.key] = VenueLimiter(rate, DIAL_BURST)
        return self._dials[venue.key]

    def redial(self, account_id: int, reason: str) -> None:
        """Do not trust a stream any more: make it anew."""
        if account_id in self._streams:
            self._streams[account_id].redial(reason)

    def states(self) -> list[StreamState]:
        """How every stream does now, as copies; from any thread."""
        return [replace(stream.state) for stream in list(self._streams.values())]

    async def close(self) -> None:
        """Hang all up."""
        streams, self._streams = list(self._streams.values()), {}
        await asyncio.gather(*(stream.close() for stream in streams))
