"""Connections to the live channel, and events for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from events.log import publish
from events.sequencer import last_number, number_events
from tests.users.people import Person
from tests.waiting import PATIENCE
from tradingplatform.asgi import websocket_routes

ALL = {"type": "subscribe", "channel": "all"}


class Socket(WebsocketCommunicator):
    """A connection to the application in this process that waits as long as a frame takes."""

    async def receive_output(self, timeout: float = PATIENCE) -> Any:
        """The next message of the application, whatever patience the library would have."""
        return await super().receive_output(max(timeout, PATIENCE))

    async def wait(self, timeout: float = PATIENCE) -> None:
        """Wait for the application's end."""
        await super().wait(max(timeout, PATIENCE))


def socket(path: str, **headers: str) -> Socket:
    """A connection to the router, not yet made."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Socket(URLRouter(websocket_routes), path, headers=pairs)


@asynccontextmanager
async def connected(person: Person, query: str = "") -> AsyncIterator[Socket]:
    """An authenticated connection after its hello, which is kept as ``socket.hello``."""
    bearer = f"Bearer {person.pair.access}"
    connection = socket(f"/ws/{person.user.pk}{query}", authorization=bearer)
    assert (await connection.connect())[0]
    connection.hello = await connection.receive_json_from()
    assert connection.hello["type"] == "hello"
    try:
        yield connection
    finally:
        await connection.disconnect()


@database_sync_to_async
def tell(person: Person, kind: str, *topics: str, **payload: Any) -> None:
    """Write an event and number it."""
    publish(kind, organisation_id=person.user.organisation_id, topics=topics, payload=payload)
    number_events()


@database_sync_to_async
def numbered(work: Callable[[], Any] = lambda: None) -> int:
    """Do some database work, number all events; the log's last number."""
    work()
    number_events()
    return last_number()


async def close_code(connection: Socket) -> int:
    """The code the server closes with."""
    while (message := await connection.receive_output())["type"] == "websocket.send":
        continue
    assert message["type"] == "websocket.close"
    return int(message["code"])


async def received(connection: Socket, count: int) -> list[dict[str, Any]]:
    """The next so many frames."""
    return [await connection.receive_json_from() for _ in range(count)]
