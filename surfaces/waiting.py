"""Waiting for the legs of an execution on the event loop: one question for all who wait."""

import asyncio
import logging
import time
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError

from trading.services.legs import unsettled_among

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
# Looks take at most this share of one thread's time, however slow the database is.
LARGEST_SHARE = 0.25

_unsettled = database_sync_to_async(unsettled_among, thread_sensitive=False)


class Waiters:
    """Those who wait on one loop. While there are any, a task asks for all of their executions
    together.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def settled(self, execution_id: int, timeout: float) -> bool:
        """Whether no leg is pending or unknown any more within ``timeout`` seconds; a database
        that does not answer meanwhile has not told so.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(execution_id, []).append(future)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        finally:
            self._leave(execution_id, future)
        return True

    def _leave(self, execution_id: int, future: "asyncio.Future[None]") -> None:
        others = [each for each in self._waiting.get(execution_id, ()) if each is not future]
        if others:
            self._waiting[execution_id] = others
        else:
            self._waiting.pop(execution_id, None)

    async def _look(self) -> None:
        pause = LOOK_SECONDS
        while self._waiting:
            await asyncio.sleep(pause)
            asked, began = list(self._waiting), time.monotonic()
            try:
                open_ones = await _unsettled(asked)
            except (OperationalError, InterfaceError) as error:
                # Others may have begun to wait since, when all was well again: they lose nothing.
                logger.warning("legs cannot be looked at: %s", type(error).__name__)
                open_ones = set(asked)
            except Exception as error:  # a fault of ours: whoever waits is told
                self._tell(asked, error)
                continue
            self._tell(execution_id for execution_id in asked if execution_id not in open_ones)
            pause = max(LOOK_SECONDS, (time.monotonic() - began) / LARGEST_SHARE)

    def _tell(self, execution_ids: Iterable[int], error: Exception | None = None) -> None:
        futures = [each for found in execution_ids for each in self._waiting.get(found, ())]
        for future in futures:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


_waiters: WeakKeyDictionary[asyncio.AbstractEventLoop, Waiters] = WeakKeyDictionary()


async def settled(execution_id: int, timeout: float) -> bool:
    """:meth:`Waiters.settled` among those who wait on the running loop."""
    return await _waiters.setdefault(asyncio.get_running_loop(), Waiters()).settled(
        execution_id, timeout
    )
