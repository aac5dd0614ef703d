"""Lets whoever sends on a stream wait for its client, so that nothing piles up for one that reads
slowly.

Daphne writes whatever an application sends into a buffer without end. A transport tells its
producer when more than 64 KB are waiting and when they have gone; a gate passes that on.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

# What the kernel may hold for one client beside the transport's own buffer.
SEND_BUFFER_BYTES = 65_536


@implementer(IPushProducer)
class Gate:
    """Open while the client takes what is sent; open for good once the connection is gone."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self._opened.set()

    @property
    def is_open(self) -> bool:
        """Whether more may be sent at once."""
        return self._opened.is_set()

    async def wait(self, seconds: float) -> None:
        """Return once more may be sent; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._opened.wait()

    def pauseProducing(self) -> None:  # noqa: N802
        """The transport's buffer is full."""
        self._opened.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        """The transport's buffer is empty."""
        self._opened.set()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection is gone; what is sent from now on is dropped."""
        self._opened.set()


def gate_of_socket(protocol: Any) -> Gate:
    """A gate on the transport of an accepted WebSocket."""
    gate = Gate()
    transport = protocol.transport
    transport.unregisterProducer()  # the HTTP channel's, which has handed the connection over
    transport.registerProducer(gate, True)
    _bound(transport)
    return gate


def gate_of_response(request: Any) -> Gate:
    """A gate on a response that has begun; :func:`let_go` must come before its end."""
    gate = Gate()
    request.registerProducer(gate, True)
    _bound(request.channel.transport)
    return gate


def let_go(request: Any) -> None:
    """The response ends: it has no producer any more."""
    if request.producer is not None and request.channel is not None:
        request.unregisterProducer()


def _bound(transport: Any) -> None:
    handle = getattr(transport, "getHandle", None)
    if handle is not None:
        with suppress(OSError):
            handle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
