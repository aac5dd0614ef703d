"""Routing that could not be done while the sender waited."""

import logging
from collections.abc import Callable
from datetime import timedelta
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
def route_later(*, signal_id: int, **_: Any) -> None:
    """Route one stored signal with more patience than its sender has."""
    signal = Signal.objects.select_related("bot", "execution").filter(pk=signal_id).first()
    if signal is not None:
        _route(signal)


@single_flight
def _sweep() -> None:
    """Route signals that were stored and not routed, finish those whose last leg is known."""
    aged = Signal.objects.select_related("bot", "execution").filter(
        received_at__lt=now() - FORGOTTEN_AFTER
    )
    for signal in aged.filter(state=Signal.State.RECEIVED).order_by("pk")[:BATCH]:
        _alone(_take_up, signal)
    for signal in aged.filter(state=Signal.State.ROUTED).order_by("-pk")[:BATCH]:
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
    else:
        _route(signal)


@shared_task(name="webhooks.sweep")
def sweep(**_: Any) -> None:
    """Run by beat: pick up what was stored and not routed or not finished."""
    _sweep()


def _route(signal: Signal) -> None:
    try:
        accept(signal, patience=PATIENCE_SECONDS)
    except DomainError as error:
        refuse(signal, error.code, error.message)
