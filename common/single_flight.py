"""Keeps a periodic piece of work from running twice at once in one process."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any


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
