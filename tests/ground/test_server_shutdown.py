"""A signal lets running requests finish and takes no new ones."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
import websockets
from django.conf import settings

from tests.ground.ports import free_port
from tests.ground.servers import answers
from tests.waiting import PATIENCE, await_until, wait_until
from tradingplatform.embedded.server import DRAIN_SECONDS


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(port: int) -> Iterator["subprocess.Popen[str]"]:
    """The slow server, answering."""
    command = [sys.executable, "-m", "tests.ground.slow_server", str(port)]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: answers(port, "/"))
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_request_in_flight_is_answered_before_the_end(
    server: "subprocess.Popen[str]", port: int, number: signal.Signals
) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:

        async def is_under_way() -> bool:
            return (await client.get(f"http://127.0.0.1:{port}/busy")).text == "1"

        async def is_closed() -> bool:
            return not await asyncio.to_thread(answers, port, "/")

        running = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/slow"))
        await await_until(is_under_way)
        server.send_signal(number)
        await await_until(is_closed)
        answer = await running
    assert (answer.status_code, answer.text) == (200, "done")
    output, _ = await asyncio.to_thread(server.communicate, timeout=PATIENCE)
    assert (server.returncode, output) == (0, "ended in order\n")


async def test_open_socket_does_not_hold_up_the_end(
    server: "subprocess.Popen[str]", port: int
) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{port}/ws"):
        started_at = time.monotonic()
        server.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.communicate, timeout=PATIENCE)
        assert server.returncode == 0
        assert time.monotonic() - started_at < DRAIN_SECONDS


def test_taken_port_is_noticed(server: "subprocess.Popen[str]", port: int) -> None:
    source = (
        "from tradingplatform.embedded.server import DrainingServer as S\n"
        f"s = S(None, '127.0.0.1', {port}); s.serve(); print(s.failed_to_listen)"
    )
    command = [sys.executable, "-c", source]
    output = subprocess.check_output(command, cwd=settings.BASE_DIR, text=True, timeout=PATIENCE)
    assert output == "True\n"
