"""Wake-ups: after a commit, tell a worker by task name that there may be work.

A wake-up carries ids only and may be lost or doubled; every receiver is also driven by a sweep.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import current_app
from django.db import DEFAULT_DB_ALIAS, close_old_connections, transaction
from kombu.exceptions import KombuError

from .crash import crash_point

logger = logging.getLogger(__name__)

QUIET_SECONDS = 5.0


class _Circuit:
    """Remembers that the broker did not answer, so that only one caller in a while pays for it."""

    def __init__(self) -> None:
        self._quiet_until = 0.0

    def is_open(self) -> bool:
        """Whether a send failed within the last seconds."""
        return time.monotonic() < self._quiet_until

    def failed(self) -> None:
        """Send nothing for a while."""
        self._quiet_until = time.monotonic() + QUIET_SECONDS


circuit = _Circuit()


def wake(task: str, queue: str = "", **kwargs: Any) -> None:
    """Send a task by name now, to its usual queue unless one is named.

    A broker that does not answer is logged, never raised, and then left alone for
    ``QUIET_SECONDS``: the sweep finds the work.
    """
    if circuit.is_open():
        return
    try:
        current_app.send_task(
            task, kwargs=kwargs, queue=queue or None, ignore_result=True, retry=False
        )
    except (KombuError, OSError) as error:
        circuit.failed()
        logger.warning(
            "wake-up %s not sent (%s); the sweep will find the work", task, type(error).__name__
        )


class Workshop:
    """Work that this process does itself when it wakes somebody for it, in place of a message to
    itself through the broker.
    """

    def __init__(self) -> None:
        self._works: dict[str, Callable[[], None]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def open(self, works: Mapping[str, Callable[[], None]]) -> None:
        """From now on do these works, by their tasks' names, on threads of their own."""
        self._works = dict(works)
        # Two, so that numbers go on while a slow consumer holds one.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="workshop")

    def close(self) -> None:
        """Send messages again; waits for the work that runs."""
        self._works = {}
        if self._threads is not None:
            self._threads.shutdown(wait=True)
            self._threads = None

    def does(self, task: str) -> bool:
        """Whether the task's work is done here."""
        return task in self._works

    def take(self, task: str) -> bool:
        """Whether the task's work was taken on here."""
        work, threads = self._works.get(task), self._threads
        if work is None or threads is None:
            return False
        try:
            threads.submit(self._do, task, work)
        except RuntimeError:  # closed meanwhile
            return False
        return True

    def _do(self, task: str, work: Callable[[], None]) -> None:
        close_old_connections()
        try:
            work()
        except Exception:  # the outer loop of the thread; the periodic wake-up tries again
            logger.exception("%s failed", task)
        finally:
            close_old_connections()


workshop = Workshop()


class Coalesced:
    """A wake-up that many ask for: sent at once, and whatever is asked for within ``pause`` seconds
    after that as one at the end of the pause. A process whose workshop does the work is its own
    addressee; one that has to send a message for it waits ``far_pause`` seconds, where that is
    given.
    """

    def __init__(self, task: str, pause: float, far_pause: float | None = None) -> None:
        self._task = task
        self._pause = pause
        self._far_pause = pause if far_pause is None else far_pause
        self._guard = threading.Lock()
        self._sent_at = -math.inf
        self._is_due = False

    def wake(self) -> None:
        """Send it now or, a little later, together with others."""
        with self._guard:
            if self._is_due:
                return
            pause = self._pause if workshop.does(self._task) else self._far_pause
            wait = self._sent_at + pause - time.monotonic()
            if wait > 0:
                self._is_due = True
                timer = threading.Timer(wait, self._send_late)
                timer.daemon = True
                timer.start()
                return
            self._sent_at = time.monotonic()
        self._send()

    def _send(self) -> None:
        if not workshop.take(self._task):
            wake(self._task)

    def _send_late(self) -> None:
        with self._guard:
            self._is_due = False
            self._sent_at = time.monotonic()
        self._send()


def wake_on_commit(task: str, queue: str = "", **kwargs: Any) -> None:
    """Send a task by name once the current transaction has committed."""

    def later() -> None:  # Django names a failing hook, so it must have a name
        crash_point("before_hint")
        wake(task, queue, **kwargs)

    transaction.on_commit(later, robust=True)


def once_on_commit(function: Callable[[], None]) -> None:
    """Run ``function`` once after the current transaction, however often it is asked for."""
    connection = transaction.get_connection(DEFAULT_DB_ALIAS)
    if connection.in_atomic_block and any(
        entry[1] is function for entry in connection.run_on_commit
    ):
        return
    transaction.on_commit(function, robust=True)
