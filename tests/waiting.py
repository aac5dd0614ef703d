"""Waiting for what threads, processes and exchanges do in their own time.

The limit says when to give up, not how fast anything has to be: on a loaded machine, too, only what
never comes reaches it. A test whose subject is the time itself has a limit of its own.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE = 120.0
PAUSE = 0.02


def wait_until(condition: Callable[[], Any], what: Callable[[], str] | str = "") -> Any:
    """The condition's first true value. When patience (seconds) is at its end an assertion fails
    and tells ``what`` was waited for.
    """
    give_up_at = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < give_up_at, _told(what)
        time.sleep(PAUSE)
    return value


async def await_until(
    condition: Callable[[], Awaitable[Any] | Any], what: Callable[[], str] | str = ""
) -> Any:
    """The same while the event loop turns; the condition may be a coroutine function."""
    give_up_at = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < give_up_at, _told(what)
        await asyncio.sleep(PAUSE)


def _told(what: Callable[[], str] | str) -> str:
    return f"after {PATIENCE:.0f} s still not: {what if isinstance(what, str) else what()}"
