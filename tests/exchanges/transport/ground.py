"""A server that answers byte by byte as told, and unmodified ccxt over either transport."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.async_support as ccxt_async

from exchanges.transport import LEAN, STOCK, Session, open_session

KINDS = (STOCK, LEAN)
BODY = b'{"orderId": 7, "status": "NEW"}'
WHOLE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"a\r\n" + BODY[:10] + b"\r\n15;x=1\r\n" + BODY[10:] + b"\r\n0\r\nX-Sum: 1\r\n\r\n"
)
Handler = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """What arrived: the whole text of each request, and how many connections there were."""

    def __init__(self, handler: Handler) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.url = ""
        self._handler = handler

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read requests whole, one after the other, and let the handler answer each."""
        self.connections += 1
        self.writers.append(writer)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                sizes = [
                    x[15:] for x in head.lower().split("\r\n") if x.startswith("content-length")
                ]
                body = await reader.readexactly(int(sizes[0]) if sizes else 0)
                self.requests.append(head + body.decode())
                await self._handler(len(self.requests), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on loopback; ``handler`` gets each request's number and the way back."""
    server = Server(handler)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls, backlog=512)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{port}/x"
    try:
        yield server
    finally:
        listener.close()
        for writer in server.writers:
            writer.transport.abort()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset rather than in order."""
    own = writer.get_extra_info("socket")
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def answering(*pieces: bytes) -> Handler:
    """Answers every request with these pieces, each in a packet of its own."""

    async def handle(number: int, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    return handle


@asynccontextmanager
async def opened(kind: str, context: ssl.SSLContext | None = None) -> AsyncIterator[Session]:
    """A session of either kind."""
    session = open_session(kind, context or ssl.create_default_context())
    try:
        yield session
    finally:
        await session.close()


async def told(
    session: Session, url: str, method: str = "POST", timeout: int = 5_000, **headers: str
) -> Any:
    """What unmodified ccxt makes of one request: its result, or the class of its exception and of
    the transport's below it.
    """
    exchange = ccxt_async.binance({"session": session, "timeout": timeout, "ssl_context": False})
    body = "a=1" if method != "GET" else None
    try:
        return await exchange.fetch(url, method, headers, body)
    except ccxt_async.BaseError as error:
        return type(error)
    finally:
        exchange.session = None


async def failure(session: Session, url: str, method: str = "POST", timeout: int = 5_000) -> type:
    """The class of ccxt's exception; asserts that there is one."""
    found = await told(session, url, method, timeout)
    assert isinstance(found, type), found
    return found
