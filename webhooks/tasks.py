"""Routing that could not be done while the sender waited."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from typing import Any

from celery import shared_task

from common.clock import now
from common.errors import DomainError
from common.single_flight import single_flight

from .lifecycle import finish_if_known, refuse
from .models import Signal
from .routing import accept, resume

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
FORGOTTEN_AFTER = timedelta(seconds=5)
TOO_LATE_AFTER = timedelta(seconds=60)
BATCH = 50


@shared_task(name="webhooks.route_later")
def route_later(*, bot_id: int, **_: Any) -> None:
    """Route a bot's stored signals with more patience than their senders have."""
    _turn_of(bot_id)()


@cache
def _turn_of(bot_id: int) -> Callable[[], None]:
    """One thread at a time routes a bot's signals, in the order in which they came."""
    return single_flight(partial(_route_waiting, bot_id))


def _route_waiting(bot_id: int) -> None:
    waiting = Signal.objects.filter(bot=bot_id, state=Signal.State.RECEIVED)
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)):
        # Read afresh: the bot may have been stopped since.
        signal = waiting.select_related("bot", "execution").filter(pk=pk).first()
        if signal is not None:
            _alone(_take_up, signal)


@single_flight
def _sweep() -> None:
    """Route signals that were stored and not routed, finish those whose last leg is known."""
    aged = Signal.objects.filter(received_at__lt=now() - FORGOTTEN_AFTER)
    forgotten = aged.filter(state=Signal.State.RECEIVED).order_by()
    for bot_id in set(forgotten.values_list("bot", flat=True)):
        _turn_of(bot_id)()
    routed = aged.filter(state=Signal.State.ROUTED).select_related("bot", "execution")
    for signal in routed.order_by("-pk")[:BATCH]:
        _alone(finish_if_known, signal)


def _alone(work: Callable[[Signal], object], signal: Signal) -> None:
    """One signal's failure is its own."""
    try:
        work(signal)
    except Exception:  # the outer loop of the sweep; the signal comes again
        logger.exception("signal %s could not be taken up", signal.correlation_id)


def _take_up(signal: Signal) -> None:
    if resume(signal):
        return
    if now() - signal.received_at > TOO_LATE_AFTER:
        refuse(signal, "stale", "The alert could not be routed in time.")
        return
    try:
        accept(signal, patience=PATIENCE_SECONDS)
    except DomainError as error:
        refuse(signal, error.code, error.message)


@shared_task(name="webhooks.sweep")
def sweep(**_: Any) -> None:
    """Run by beat: pick up what was stored and not routed or not finished."""
    _sweep()
