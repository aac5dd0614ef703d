"""The bench's clients of a live channel: a process that holds many sockets.

`python -m tests.bench.listeners ADDRESS KEY` runs the commands it reads.
"""

import asyncio
import json
import re
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import websockets

from tests.bench.lines import serve_lines

OPENINGS_AT_ONCE = 20
DRAIN_SECONDS = 2.0
# Reading whole frames as JSON would cost the clients more than the server spends on them.
WRITTEN_AT, LOOKED_AT = re.compile(r'"at":([0-9.]+)'), 400


class Listeners:
    """Sockets on a loop of their own; a latency is from an event's writing to its arrival."""

    def __init__(self, address: str, key: str) -> None:
        self._address, self._key = address, key
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._readers: list[Any] = []
        self._stopped: list[Any] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._latencies: list[float] = []
        self._counts: dict[int, int] = {}

    def open(self, reading: int, stopped: int) -> None:
        """Connect and subscribe; the stopped ones read nothing after that."""
        self._run(self._open(reading, stopped))

    def collect(self, events: int, seconds: float) -> dict[str, Any]:
        """What the readers saw once each has so many events, or the time is up."""
        self._run(self._await_counts(events, seconds))
        found = {
            "latencies": sorted(self._latencies),
            "complete": sum(count == events for count in self._counts.values()),
            "codes": self._run(self._codes()),
        }
        self._run(self._close())
        return found

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self, reading: int, stopped: int) -> None:
        self._latencies, self._counts = [], {}
        gate = asyncio.Semaphore(OPENINGS_AT_ONCE)
        opened = await asyncio.gather(*(self._connect(gate) for _ in range(reading + stopped)))
        self._readers, self._stopped = opened[:reading], opened[reading:]
        self._tasks = [
            asyncio.create_task(self._read(number, each))
            for number, each in enumerate(self._readers)
        ]

    async def _connect(self, gate: asyncio.Semaphore) -> Any:
        async with gate:
            connection = await websockets.connect(
                self._address,
                additional_headers={"x-api-key": self._key},
                compression=None,
                max_queue=4,
                ping_interval=None,
                close_timeout=1,
            )
            await connection.recv()
            await connection.send(json.dumps({"type": "subscribe", "channel": "all"}))
            await connection.recv()
            return connection

    async def _read(self, number: int, connection: Any) -> None:
        self._counts[number] = 0
        async for text in connection:
            written = WRITTEN_AT.search(text, 0, LOOKED_AT)
            if written is not None:
                self._latencies.append(time.monotonic() - float(written[1]))
                self._counts[number] += 1

    async def _await_counts(self, events: int, seconds: float) -> None:
        give_up_at = time.monotonic() + seconds
        while min(self._counts.values()) < events and time.monotonic() < give_up_at:
            await asyncio.sleep(0.05)

    async def _codes(self) -> list[int | None]:
        """What those who stopped find when they read on: the code they were closed with, None
        where they were not.
        """
        return await asyncio.gather(*(self._code(each) for each in self._stopped))

    async def _code(self, connection: Any) -> int | None:
        with suppress(TimeoutError, websockets.ConnectionClosed):
            async with asyncio.timeout(DRAIN_SECONDS):
                while True:
                    await connection.recv()
        code: int | None = connection.close_code
        return code

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for each in (*self._readers, *self._stopped):
            each.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)


if __name__ == "__main__":
    clients = Listeners(sys.argv[1], sys.argv[2])
    serve_lines({"open": clients.open, "collect": clients.collect})
