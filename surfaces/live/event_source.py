"""The log as server-sent events: what a client missed, then what comes, while it may hear it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from common.errors import Unauthenticated
from common.principal import Principal
from users.permissions import READ_DATA, may

from . import feed
from .handshake import seconds_left
from .socket import CHECK_SECONDS, FIRST_CHECK_SECONDS, authenticate_in_thread
from .stream import Channel, Cursor, topics_of_credential

KEEP_ALIVE_SECONDS = 12.0
KEEP_ALIVE = ": keep-alive\n\n"


def block(name: str, data: feed.Frame, number: int) -> str:
    """One event as it goes out; ``number`` is what the client says when it comes back."""
    return f"id: {number}\nevent: {name}\ndata: {feed.encoded(data)}\n\n"


class EventSource:
    """One client's stream.

    The server makes it wait while the client does not take what was sent, and drops a client that
    takes nothing for long; meanwhile the log is its queue. Whoever makes one reads :meth:`texts`.
    """

    def __init__(
        self, token: str, principal: Principal, address: str, channel: Channel, start: int
    ) -> None:
        self._token = token
        self._principal = principal
        self._address = address
        self._channel = channel
        self._start = start
        self._wake = asyncio.Event()
        self._is_doubtful = False
        left = seconds_left(token)
        self._ends_at = float("inf") if left is None else time.monotonic() + left
        self._check_at = time.monotonic() + FIRST_CHECK_SECONDS

    def news(self, count: int) -> None:
        """More can be read."""
        if count:
            self._wake.set()

    def doubt(self, topics: frozenset[str]) -> None:
        """Look the credential up again where it is the one that has ended."""
        if not topics.isdisjoint(topics_of_credential(self._principal)):
            self._is_doubtful = True
            self._wake.set()

    async def texts(self) -> AsyncIterator[str]:
        """The blocks to send, until the credential ends. Raises DatabaseError."""
        joined = await feed.join(self._principal.organisation_id, self)
        try:
            cursor = Cursor(self._principal, joined, last_id=self._start)
            async with aclosing(self._blocks(cursor)) as blocks:
                async for text in blocks:
                    yield text
        finally:
            await feed.leave(self._principal.organisation_id, self)

    async def _blocks(self, cursor: Cursor) -> AsyncIterator[str]:
        sent_at = time.monotonic()
        while await self._is_good(cursor):
            self._wake.clear()
            async with aclosing(cursor.entries()) as entries:
                async for entry in entries:
                    text = self._channel.text(entry)
                    if text is not None:
                        yield text
                        sent_at = time.monotonic()
                    if not await self._is_good(cursor):
                        return
            if time.monotonic() - sent_at >= KEEP_ALIVE_SECONDS:
                yield KEEP_ALIVE
                sent_at = time.monotonic()
            await self._rest(sent_at + KEEP_ALIVE_SECONDS)

    async def _rest(self, due: float) -> None:
        seconds = min(due, self._check_at, self._ends_at) - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.01)):
                await self._wake.wait()

    async def _is_good(self, cursor: Cursor) -> bool:
        """Whether the credential is still good; it is looked up again where there is a doubt, and
        now and then.
        """
        moment = time.monotonic()
        if moment >= self._ends_at:
            return False
        if not self._is_doubtful and moment < self._check_at:
            return True
        self._is_doubtful, self._check_at = False, moment + CHECK_SECONDS
        try:
            principal = await authenticate_in_thread(self._token, address=self._address)
        except Unauthenticated:
            return False
        cursor.principal = self._principal = principal
        return may(principal, READ_DATA)
