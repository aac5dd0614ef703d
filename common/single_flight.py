"""Keeps a periodic piece of work from running twice at once in one process."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any

from django.db import connections


def single_flight(work: Callable[[], Any]) -> Callable[[], None]:
    """Wrap work so that a call made while it runs returns at once and has it run once more after.

    A slow exchange then holds one worker thread per kind of work, never all of them, and no wake-up
    is lost: what was committed before the call is seen by the extra run.
    """
    guard = threading.Lock()
    state = {"running": False, "again": False}

    @wraps(work)
    def run() -> None:
        with guard:
            state["again"] = True
            if state["running"]:
                return
            state["running"] = True
        try:
            while _take(guard, state):
                work()
        except BaseException:
            with guard:
                state["running"] = False
            raise

    return run


def _take(guard: threading.Lock, state: dict[str, bool]) -> bool:
    """Whether another run is wanted; otherwise the flight ends, under the same lock."""
    with guard:
        if not state["again"]:
            state["running"] = False
            return False
        state["again"] = False
        return True


class Flights:
    """A single flight for each key, beside each other: work that is slow for one key holds up none
    of the others, nor another call for them.
    """

    def __init__(self, work: Callable[[str], Any]) -> None:
        self._work = work
        self._guard = threading.Lock()
        self._flights: dict[str, Callable[[], None]] = {}

    def run(self, keys: Sequence[str]) -> None:
        """Do the work for each of these keys, each in a thread of its own, and wait for what this
        call began; what runs already is run once more by whoever began it. Raises what the work
        raises.
        """
        if len(keys) == 1:
            self._flight(keys[0])()
        elif keys:
            with ThreadPoolExecutor(len(keys), thread_name_prefix="flight") as pool:
                flights = [pool.submit(self._fly, key) for key in keys]
            for flight in flights:
                flight.result()

    def _fly(self, key: str) -> None:
        try:
            self._flight(key)()
        finally:
            connections.close_all()

    def _flight(self, key: str) -> Callable[[], None]:
        with self._guard:
            if key not in self._flights:
                self._flights[key] = single_flight(partial(self._work, key))
            return self._flights[key]
