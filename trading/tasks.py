"""Celery entry points of the ledger. Tasks take ids by keyword, tolerate unknown keywords, call one
service.
"""

from collections.abc import Sequence
from typing import Any

from celery import shared_task

from common.single_flight import Flights, single_flight

from .services import (
    equity_readings,
    execution,
    follow_ups,
    poll_rounds,
    reconcile,
    recovery,
    watching,
)

sweep_once = single_flight(recovery.sweep)
watch_once = single_flight(watching.watch)
_polls = Flights(reconcile.poll_due)
_look = single_flight(follow_ups.look)
_thin_out = single_flight(equity_readings.thin_out)


@shared_task(name="trading.execute")
def execute(*, order_ids: Sequence[int], **_: Any) -> None:
    """Send those of these orders that still wait."""
    execution.run_with_others(list(order_ids))


@shared_task(name="trading.sweep")
def sweep(**_: Any) -> None:
    """Pick up what lost wake-ups and dead senders left."""
    sweep_once()


@shared_task(name="trading.reconcile")
def poll(**_: Any) -> None:
    """Poll the accounts whose time has come, venue by venue: a slow one holds up no other."""
    _polls.run(poll_rounds.due_venues())


@shared_task(name="trading.follow_up")
def follow_up(**_: Any) -> None:
    """Look where the market went after shadow's fills."""
    _look()


@shared_task(name="trading.thin_out_readings")
def thin_out_readings(**_: Any) -> None:
    """Forget readings of equity that no figure is made of."""
    _thin_out()
