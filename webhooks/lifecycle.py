"""A signal's end: refused before routing, or finished when the outcome of all its legs is known."""

from typing import Any

from django.db import transaction
from django.db.models import F

from bots.models import Bot
from common.clock import now
from common.redaction import redact
from events.log import NewEvent, publish_all
from trading.services.legs import PENDING, UNKNOWN, count_statuses, statuses

from .models import Signal


def refuse(signal: Signal, code: str, message: str) -> None:
    """Settle a signal as refused; only a signal that was not routed can be."""
    with transaction.atomic():
        changed = Signal.objects.filter(pk=signal.pk, state=Signal.State.RECEIVED).update(
            state=Signal.State.REFUSED,
            reason_code=code,
            message=redact(message)[:300],
            finished_at=now(),
            **judged(signal),
        )
        if not changed:
            return
        signal.refresh_from_db()
        Bot.objects.filter(pk=signal.bot_id).update(signals_failed=F("signals_failed") + 1)
        publish_all([signal_event("signal.finished", signal)])


def finish_if_known(signal: Signal) -> bool:
    """Finish a routed signal once no leg is pending or unknown, and count it on its bot; safe to
    repeat.
    """
    if signal.state != Signal.State.ROUTED or signal.execution is None:
        return False
    found = statuses(signal.execution)
    if PENDING in found or UNKNOWN in found:
        return False
    success_count, error_count = count_statuses(found)
    changes: dict[str, Any] = {
        "state": Signal.State.FINISHED,
        "success_count": success_count,
        "error_count": error_count,
        "finished_at": now(),
    }
    with transaction.atomic(savepoint=False):
        rows = Signal.objects.filter(pk=signal.pk, state=Signal.State.ROUTED)
        if not rows.update(**changes):
            return False
        for name, value in changes.items():
            setattr(signal, name, value)
        counter = "signals_succeeded" if success_count else "signals_failed"
        Bot.objects.filter(pk=signal.bot_id).update(**{counter: F(counter) + 1})
        publish_all([signal_event("signal.finished", signal)])
    return True


def judged(signal: Signal) -> dict[str, Any]:
    """The columns that judging a signal has filled; they are written with its next state."""
    return {"alert_time": signal.alert_time, "request": signal.request}


def signal_event(kind: str, signal: Signal) -> NewEvent:
    """``signal.received``, ``signal.routed`` or ``signal.finished``."""
    return NewEvent(
        kind,
        signal.organisation_id,
        (f"bot:{signal.bot_id}", f"signal:{signal.pk}"),
        {
            "signal_id": signal.pk,
            "bot_id": signal.bot_id,
            "correlation_id": signal.correlation_id,
            "state": signal.state,
            "reason_code": signal.reason_code,
            "success_count": signal.success_count,
            "error_count": signal.error_count,
        },
    )
