"""One running attempt for all who want its result."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Generic, TypeVar

from .outcomes import VenueError

logger = logging.getLogger(__name__)
T = TypeVar("T")


class SharedAttempt(Generic[T]):
    """Runs ``work`` once for everybody who asks meanwhile; lives on one event loop.

    Its VenueError answers those, too, who ask within ``failure_seconds`` after it. The work belongs
    to no caller: it goes on when one of them gives up, and knows nothing of their deadlines.
    """

    def __init__(self, work: Callable[[], Awaitable[T]], *, failure_seconds: float = 0.0) -> None:
        self._work = work
        self._failure_seconds = failure_seconds
        self._task: asyncio.Task[T] | None = None
        self._failure: VenueError | None = None
        self._failed_at = 0.0

    async def result(self) -> T:
        """The result of the running attempt, or of a new one; raises what the work raises."""
        if self._failure is not None and self._failed_recently():
            raise self._failure
        return await asyncio.shield(self._running())

    def start(self) -> None:
        """Begin an attempt unless one runs or has just failed; nobody waits for it."""
        if not self._failed_recently():
            self._running()

    def _failed_recently(self) -> bool:
        return (
            self._failure is not None and time.monotonic() - self._failed_at < self._failure_seconds
        )

    def _running(self) -> "asyncio.Task[T]":
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())
            self._task.add_done_callback(_note_failure)
        return self._task

    async def _run(self) -> T:
        try:
            result = await self._work()
        except VenueError as error:
            self._failure, self._failed_at = error, time.monotonic()
            raise
        finally:
            self._task = None
        self._failure = None
        return result


def _note_failure(task: "asyncio.Task[T]") -> None:
    """Say why an attempt failed that perhaps nobody waits for."""
    if not task.cancelled() and task.exception() is not None:
        logger.info("attempt failed: %s", task.exception())
