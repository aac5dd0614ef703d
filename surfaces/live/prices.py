"""Prices for all live clients of a process: one look a second, and only the newest is told."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from typing import Protocol
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import DatabaseError

from marketdata.models import LastPrice
from marketdata.watching import Pair, keep_watching, stored_prices, unlisted

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
KEEP_SECONDS = 60.0

_stored = database_sync_to_async(stored_prices, thread_sensitive=False)
_unlisted = database_sync_to_async(unlisted, thread_sensitive=False)
_keep = database_sync_to_async(keep_watching, thread_sensitive=False)


class Watcher(Protocol):
    """Somebody who is told prices; must not wait."""

    def priced(self, pair: Pair, price: LastPrice) -> None:
        """A price is new, or the first one known to this watcher."""

    def not_listed(self, pair: Pair) -> None:
        """The venue does not list the symbol; told again when somebody else asks for it."""


class PriceWatch:
    """The prices that anybody of a loop watches, looked at while there is somebody."""

    def __init__(self) -> None:
        self._watchers: dict[Pair, set[Watcher]] = {}
        self._told: dict[Pair, LastPrice] = {}
        self._fresh: set[Pair] = set()
        self._missing: set[Pair] = set()
        self._changed = asyncio.Event()
        self._keep_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def add(self, pairs: Iterable[Pair], watcher: Watcher) -> None:
        """Tell a watcher these prices from now on, what is known of them at once."""
        for pair in pairs:
            self._watchers.setdefault(pair, set()).add(watcher)
            if pair in self._told:
                watcher.priced(pair, self._told[pair])
            else:
                self._fresh.add(pair)
                self._missing.add(pair)
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._watch())

    def remove(self, pairs: Iterable[Pair], watcher: Watcher) -> None:
        """Tell a watcher these prices no longer; without watchers nothing is looked at."""
        for pair in pairs:
            watchers = self._watchers.get(pair, set())
            watchers.discard(watcher)
            if not watchers:
                self._watchers.pop(pair, None)
                self._told.pop(pair, None)
                self._fresh.discard(pair)
                self._missing.discard(pair)
        if not self._watchers and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        while True:
            self._changed.clear()
            try:
                await self._look()
            except DatabaseError:
                logger.exception("live channels: prices could not be read; trying again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()

    async def _look(self) -> None:
        fresh, self._fresh = self._fresh, set()
        moment = time.monotonic()
        if moment >= self._keep_at:
            fresh, self._keep_at = set(self._watchers), moment + KEEP_SECONDS
        if fresh:
            await _keep(fresh)
        for pair, price in (await _stored(set(self._watchers))).items():
            told = self._told.get(pair)
            if pair in self._watchers and (told is None or told.at != price.at):
                self._told[pair] = price
                self._missing.discard(pair)
                for watcher in list(self._watchers[pair]):
                    watcher.priced(pair, price)
        await self._look_for_missing()

    async def _look_for_missing(self) -> None:
        """Tell of symbols that will have no price; whoever joins later has them looked up anew."""
        if self._missing:
            for pair in await _unlisted(set(self._missing)):
                self._missing.discard(pair)
                for watcher in list(self._watchers.get(pair, ())):
                    watcher.not_listed(pair)


_watches: "WeakKeyDictionary[asyncio.AbstractEventLoop, PriceWatch]" = WeakKeyDictionary()


def price_watch() -> PriceWatch:
    """The running loop's."""
    loop = asyncio.get_running_loop()
    if loop not in _watches:
        _watches[loop] = PriceWatch()
    return _watches[loop]
