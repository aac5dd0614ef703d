"""A process that ends between two steps, as a test plays it: an exception nobody catches, and what
its unfinished transaction leaves; then time goes by and another process recovers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F

from common.clock import now
from tests.trading.conftest import Desk
from trading import states
from trading.models import Order, Snapshot
from trading.services import recovery

SWEEPS = 4
LONG_AGO = timedelta(minutes=2)


class Killed(BaseException):
    """The process ends here."""


def killed(*_: object, **__: object) -> None:
    """Ends the process wherever this is called."""
    raise Killed


def kill_at(monkeypatch: pytest.MonkeyPatch, module: Any, point: str) -> None:
    """Let the process end at a crash point of a module."""

    def crash_point(name: str) -> None:
        if name == point:
            raise Killed

    monkeypatch.setattr(module, "crash_point", crash_point)


@contextmanager
def without_rollback() -> Iterator[None]:
    """A transaction that a crash does not undo: what was written before it stays, as if every
    statement had been committed by itself.
    """
    ended: Killed | None = None
    with transaction.atomic():
        try:
            yield
        except Killed as error:
            ended = error
    if ended is not None:
        raise ended


def unprotected(function: Any) -> Callable[..., Any]:
    """A function decorated with ``transaction.atomic``, its transaction replaced by
    :func:`without_rollback`.
    """

    def run(*arguments: Any, **named: Any) -> Any:
        with without_rollback():
            return function.__wrapped__(*arguments, **named)

    return run


def let_time_pass() -> None:
    """Every wait that recovery keeps is over: wake-ups are late, claims and windows have ended."""
    moment = now()
    Order.objects.filter(state=states.CREATED).update(created_at=moment - timedelta(seconds=5))
    under_way = Order.objects.filter(state__in=(states.SENDING, states.UNKNOWN))
    under_way.update(send_deadline=moment - LONG_AGO, wire_at=F("wire_at") - LONG_AGO)
    Order.objects.filter(state__in=states.LIVE).update(next_attempt_at=moment)
    Snapshot.objects.update(empty_since=F("empty_since") - LONG_AGO)


def recover(desk: Desk) -> Order:
    """Do what the other processes do until nothing moves any more; returns the desk's one order."""
    for _ in range(SWEEPS):
        let_time_pass()
        recovery.sweep()
    desk.settle()
    return Order.objects.get()
