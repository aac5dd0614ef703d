"""The gateway's loop closes what is its own, and once: the number may be another's by then."""

import asyncio
import socket
from contextlib import suppress

from exchanges.gateway import Gateway


async def _cancelled_connection(address: tuple[str, int]) -> int:
    """Hand a connected socket to the loop and think better of it; what the socket says it has."""
    loop = asyncio.get_running_loop()
    sock = socket.create_connection(address)
    sock.setblocking(False)
    making = loop.create_task(loop.create_connection(asyncio.Protocol, sock=sock))
    await asyncio.sleep(0)
    making.cancel()
    with suppress(asyncio.CancelledError):
        await making
    return sock.fileno()


def test_a_connection_that_is_cancelled_leaves_no_descriptor_with_two_owners() -> None:
    gateway = Gateway()
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            assert gateway.run(_cancelled_connection(address), timeout=10) == -1
    finally:
        gateway.close()
