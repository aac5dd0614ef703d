"""One connection to a venue: one request at a time, and never one more than it is sure of."""

import asyncio
import select
from typing import cast

import aiohttp

from .answer import AnswerReader, BadHead


class WireConnection(asyncio.Protocol):
    """Made by the pool. After any doubt about what its bytes belong to it is closed, not kept."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._reader: AnswerReader | None = None
        self._waiter: asyncio.Future[AnswerReader] | None = None
        self.has_answered = False
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out, and a way to look for what the loop has not read yet."""
        # Not every loop's transports are of asyncio's class.
        self._transport = cast(asyncio.Transport, transport)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    @property
    def is_open(self) -> bool:
        """Whether a request may still be written as far as the loop has seen."""
        return self._transport is not None and not self._transport.is_closing()

    def is_quiet(self) -> bool:
        """Whether nothing waits in the socket unread: its end, or bytes that nobody asked for."""
        return self.is_open and self._poll is not None and not self._poll.poll(0)

    def ask(self, request: bytes) -> "asyncio.Future[AnswerReader]":
        """Write a request; the future ends with the whole answer, with aiohttp's error, or with
        BadHead where the answer is not HTTP.

        Raises ServerDisconnectedError where the connection is closed; nothing was written then.
        """
        assert self._transport is not None
        if not self.is_open:
            raise aiohttp.ServerDisconnectedError()
        self.has_answered = False
        self._reader = AnswerReader()
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        """Read on; bytes outside an answer end the connection."""
        waiter, reader = self._waiter, self._reader
        if waiter is None or reader is None or waiter.done():
            self.close()
            return
        self.has_answered = True
        try:
            if not reader.feed(data):
                return
        except (BadHead, aiohttp.ClientPayloadError) as error:
            self._end(error)
            return
        self._waiter = self._reader = None
        if not reader.keeps_alive:
            self.close()
        waiter.set_result(reader)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits what was missing, in aiohttp's words for it."""
        reader = self._reader
        if reader is None or self._waiter is None:
            return
        try:
            is_whole = exc is None and reader.end()
        except aiohttp.ClientPayloadError as error:
            self._end(error)
            return
        if is_whole and not self._waiter.done():
            self._waiter.set_result(reader)
        elif reader.has_head:
            self._end(aiohttp.ClientPayloadError("the body was cut short"))
        elif isinstance(exc, OSError):
            self._end(aiohttp.ClientOSError(*exc.args))
        else:
            self._end(aiohttp.ServerDisconnectedError())

    def expire(self) -> None:
        """The time is over: whoever waits gets a time-out, the connection is not used again."""
        self._end(aiohttp.SocketTimeoutError("no answer in time"))

    def _end(self, error: Exception) -> None:
        waiter, self._waiter, self._reader = self._waiter, None, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.abort()

    def close(self) -> None:
        """Close once what was written has left."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._waiter = self._reader = None
        if self._transport is not None:
            self._transport.abort()
