"""What is sent on a stream waits for its client; codes of the standard reach it."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
import websockets
from django.conf import settings

from tests.ground.ports import free_port
from tests.ground.servers import answers
from tests.ground.slow_server import FLOOD_CHUNK, FLOOD_CHUNKS
from tests.waiting import wait_until

# A transport's buffer and what two kernels' buffers may hold, far below what is sent in all.
MOST_WAITING = 6_000


@pytest.fixture
def port() -> Iterator[int]:
    """Where the test's server answers."""
    number = free_port()
    command = [sys.executable, "-m", "tests.ground.slow_server", str(number)]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)
    wait_until(lambda: answers(number, "/"))
    yield number
    process.kill()
    process.wait()


async def settled(port: int) -> int:
    """How many chunks the server has sent once that does not grow any more."""
    async with httpx.AsyncClient() as client:
        before = -1
        while (now := int((await client.get(f"http://127.0.0.1:{port}/sent")).text)) != before:
            before = now
            await asyncio.sleep(0.3)
    return now


async def test_a_socket_that_is_not_read_is_not_sent_more(port: int) -> None:
    address = f"ws://127.0.0.1:{port}/flood"
    async with websockets.connect(address, max_queue=1, compression=None) as connection:
        assert 0 < await settled(port) < MOST_WAITING
        for _ in range(FLOOD_CHUNKS):
            assert len(await connection.recv()) == len(FLOOD_CHUNK)
    assert await settled(port) == FLOOD_CHUNKS


async def test_a_stream_of_events_that_is_not_read_is_not_sent_more(port: int) -> None:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"GET /flood HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    assert 0 < await settled(port) < MOST_WAITING
    read = await asyncio.to_thread(_read_all, connection)
    assert read >= FLOOD_CHUNKS * len(FLOOD_CHUNK)
    assert await settled(port) == FLOOD_CHUNKS


def _read_all(connection: socket.socket) -> int:
    total = 0
    with connection:
        while chunk := connection.recv(65_536):
            total += len(chunk)
    return total


@pytest.mark.parametrize("code", [1000, 1008, 1009, 1011, 1013, 4401])
async def test_a_close_code_reaches_the_client(port: int, code: int) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{port}/{code}") as connection:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


async def test_a_frame_beyond_the_limit_is_refused_before_it_is_read_whole(port: int) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{port}/") as connection:
        await connection.send("x" * 65_537)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
