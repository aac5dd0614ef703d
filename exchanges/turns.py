"""Turns: the orders of one account go out one after the other, in the order they were handed over.

An order begins once the one before it has its answer, or, so that a request that hangs does not
hold up an exit, once that one has been under way for ``PATIENCE_SECONDS``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

PATIENCE_SECONDS = 0.5


@dataclass(slots=True)
class Turn:
    """One order's place in its account's line: whether it has begun, whether it has its answer."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Turns:
    """The lines of all accounts; lives on one event loop."""

    def __init__(self) -> None:
        self._last: dict[int, Turn] = {}

    @asynccontextmanager
    async def next_of(self, account_id: int) -> AsyncIterator[Turn]:
        """Wait for the account's turn; the body sets ``begun`` when its request goes out.

        The place in the line is the order in which the coroutines were started.
        """
        before = self._last.get(account_id)
        turn = self._last[account_id] = Turn()
        try:
            if before is not None:
                await before.begun.wait()
                with suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await before.done.wait()
            yield turn
        finally:
            turn.begun.set()
            turn.done.set()
            if self._last.get(account_id) is turn:
                del self._last[account_id]
