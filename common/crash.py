"""Crash points: places where a test may kill this process, to prove that nothing is lost there.

Switched on by the setting ``CRASH_AT`` (``name`` or ``name:n`` for the n-th passage, several
separated by commas), which only tests set; ``stop-name`` stops the process there (SIGSTOP) instead
of killing it. Without the setting a crash point costs one look at an empty text.
"""

import logging
import os
import signal
import threading
import time
from functools import lru_cache

from django.conf import settings

logger = logging.getLogger(__name__)
STOP_SECONDS = 0.1
_passages: dict[str, int] = {}
_lock = threading.Lock()


@lru_cache(maxsize=8)
def _wanted(text: str) -> dict[str, int]:
    pairs = (part.strip().partition(":") for part in text.split(",") if part.strip())
    return {name: int(number or 1) for name, _, number in pairs}


def crash_point(name: str) -> None:
    """Kill this process with SIGKILL, or stop it, if the test asked for that here."""
    if not settings.CRASH_AT:
        return
    if _is_due(name):
        logger.critical("crash point %s reached: killing this process", name)
        os.kill(os.getpid(), signal.SIGKILL)
    if _is_due(f"stop-{name}"):
        logger.critical("crash point %s reached: stopping this process", name)
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(STOP_SECONDS)  # the signal may stop other threads first


def _is_due(name: str) -> bool:
    """Count a passage; whether it is the one that was asked for."""
    wanted = _wanted(settings.CRASH_AT)
    if name not in wanted:
        return False
    with _lock:
        _passages[name] = _passages.get(name, 0) + 1
        return _passages[name] == wanted[name]
