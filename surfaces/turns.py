"""Work that many ask for on the event loop at once: few at a time, and what belongs together one
after the other, in the order of asking.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

logger = logging.getLogger(__name__)


class Turns:
    """For one loop. At most ``seats`` works run at once; those of one key never do."""

    def __init__(self, seats: int) -> None:
        self._seats = asyncio.Semaphore(seats)
        self._asked = 0
        self._last: dict[Hashable, asyncio.Task[None]] = {}

    @property
    def asked(self) -> int:
        """How many works were asked for and are not done."""
        return self._asked

    async def run(self, key: Hashable, work: Callable[[], Awaitable[Any]], timeout: float) -> bool:
        """Whether the work was done within ``timeout`` seconds; raises what it raises. Work that
        takes longer goes on, and what it raises is logged.
        """
        task = asyncio.create_task(self._after(self._last.get(key), work))
        self._last[key] = task
        self._asked += 1
        task.add_done_callback(lambda _: self._forget(key, task))
        try:
            await asyncio.wait({task}, timeout=timeout)
        finally:
            if not task.done():
                task.add_done_callback(_tell_failure)
        if task.done():
            task.result()
        return task.done()

    async def _after(
        self, earlier: "asyncio.Task[None] | None", work: Callable[[], Awaitable[Any]]
    ) -> None:
        if earlier is not None:
            await asyncio.wait({earlier})
        async with self._seats:
            await work()

    def _forget(self, key: Hashable, task: "asyncio.Task[None]") -> None:
        self._asked -= 1
        if self._last.get(key) is task:
            del self._last[key]


def _tell_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("work that nobody waited for any more failed: %s", type(error).__name__)
