"""A client of ``/ws/v1``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.management.sockets import Socket, socket
from tests.users.people import Person

PATH = "/ws/v1"


@asynccontextmanager
async def connected(person: Person, **auth: Any) -> AsyncIterator[Socket]:
    """A connection that has authenticated by its first message; the answer is ``socket.hello``."""
    connection = socket(PATH)
    assert (await connection.connect())[0]
    await connection.send_json_to({"type": "auth", "token": person.pair.access, **auth})
    connection.hello = await connection.receive_json_from()
    assert connection.hello["status"] == "authenticated"
    try:
        yield connection
    finally:
        await connection.disconnect()


async def asked(connection: Socket, **message: Any) -> dict[str, Any]:
    """The next frame after a message."""
    await connection.send_json_to(message)
    frame: dict[str, Any] = await connection.receive_json_from()
    return frame
