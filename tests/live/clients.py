"""Clients of every live channel over real connections, which are cut without a word."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import websockets

from tests.server.event_streams import read_block


@dataclass(frozen=True, slots=True)
class Line:
    """An open connection: ``read`` gives the number of the log and of the order of the next event,
    ``cut`` ends it as a broken network would.
    """

    read: Callable[[], Awaitable[tuple[int, int]]]
    cut: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Channel:
    """How a client comes in after a number, and what an event looks like there."""

    path: str
    headers: dict[str, str]
    first: tuple[dict[str, Any], ...] = ()
    is_socket: bool = True

    @asynccontextmanager
    async def opened(self, port: int, after: int) -> AsyncIterator[Line]:
        """A connection that resumes after a number."""
        path = self.path.format(after=after)
        headers = {name: text.format(after=after) for name, text in self.headers.items()}
        opening = self._socket if self.is_socket else self._events
        async with opening(port, path, headers, after) as line:
            yield line

    @asynccontextmanager
    async def _socket(
        self, port: int, path: str, headers: dict[str, str], after: int
    ) -> AsyncIterator[Line]:
        address = f"ws://127.0.0.1:{port}{path}"
        async with websockets.connect(
            address, additional_headers=headers, ping_interval=None, close_timeout=1
        ) as connection:
            for message in self.first:
                told = {
                    name: after if value == "{after}" else value for name, value in message.items()
                }
                await connection.send(json.dumps(told))

            async def read() -> tuple[int, int]:
                while True:
                    frame = json.loads(await connection.recv())
                    data = frame.get("payload") or frame.get("data") or frame
                    if "order_id" in data:
                        return frame["event_id"], int(data["order_id"])

            yield Line(read, connection.transport.abort)

    @asynccontextmanager
    async def _events(
        self, port: int, path: str, headers: dict[str, str], after: int
    ) -> AsyncIterator[Line]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        writer.write(f"GET {path} HTTP/1.1\r\nHost: here\r\n{lines}\r\n".encode())
        assert b" 200 " in await reader.readline()
        await reader.readuntil(b"\r\n\r\n")
        waiting = ""

        async def read() -> tuple[int, int]:
            nonlocal waiting
            while True:
                while "\n\n" not in waiting:
                    waiting += await _chunk(reader)
                block, _, waiting = waiting.partition("\n\n")
                event = read_block(block)
                if event is not None and "order_id" in event["data"]["payload"]:
                    return event["id"], int(event["data"]["payload"]["order_id"])

        try:
            yield Line(read, writer.transport.abort)
        finally:
            writer.transport.abort()


async def _chunk(reader: asyncio.StreamReader) -> str:
    """The next chunk of a chunked body; raises EOFError at its end."""
    size = int(await reader.readline() or b"0", 16)
    if not size:
        raise EOFError
    text = (await reader.readexactly(size)).decode()
    await reader.readexactly(2)
    return text
