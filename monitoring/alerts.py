"""Raising and settling alerts."""

import logging
from typing import Any

from django.db import transaction
from django.db.models import F

from common.clock import now
from common.redaction import redact, redact_json
from events.log import audit, publish

from .models import Alert

logger = logging.getLogger(__name__)
# Settles what is over by itself, which is no act of anybody.
SYSTEM = "system"


@transaction.atomic
def raise_alert(
    code: str,
    *,
    message: str,
    organisation_id: int | None,
    subject: str = "",
    severity: str = Alert.Severity.WARNING,
    details: dict[str, Any] | None = None,
) -> Alert:
    """Raise an alert, or count one more time the unresolved one of the same code, organisation and
    subject.

    Safe to repeat. Only the first time is published.
    """
    fingerprint = f"{organisation_id or 0}:{code}:{subject}"[:200]
    alert, is_new = Alert.objects.exclude(state=Alert.State.RESOLVED).get_or_create(
        fingerprint=fingerprint,
        defaults={
            "organisation_id": organisation_id,
            "code": code,
            "severity": severity,
            "message": redact(message),
            "details": redact_json(details or {}),
        },
    )
    logger.warning("alert %s %s: %s", code, subject, redact(message))
    if not is_new:
        Alert.objects.filter(pk=alert.pk).update(count=F("count") + 1, last_at=now())
        return alert
    _publish(alert, "alert.raised")
    return alert


@transaction.atomic
def settle(alert: Alert, *, state: str, actor: str) -> bool:
    """Acknowledge or resolve, audited as the actor's; False when it was settled so already."""
    changed = (
        Alert.objects.filter(pk=alert.pk)
        .exclude(state__in=(state, Alert.State.RESOLVED))
        .update(state=state, settled_by=actor, settled_at=now())
    )
    if changed:
        alert.refresh_from_db()
        _publish(alert, f"alert.{state}")
        if actor != SYSTEM:
            audit(
                None,
                f"alert.{state}",
                actor=actor,
                organisation_id=alert.organisation_id,
                target=f"alert:{alert.pk}",
            )
    return bool(changed)


def resolve_alerts(code: str, *, organisation_id: int | None, subject: str = "") -> None:
    """Resolve the open alert of a condition that has gone; nothing happens when there is none."""
    fingerprint = f"{organisation_id or 0}:{code}:{subject}"[:200]
    for alert in Alert.objects.exclude(state=Alert.State.RESOLVED).filter(fingerprint=fingerprint):
        settle(alert, state=Alert.State.RESOLVED, actor=SYSTEM)


def _publish(alert: Alert, kind: str) -> None:
    if alert.organisation_id is not None:
        publish(
            kind,
            organisation_id=alert.organisation_id,
            topics=("alerts",),
            payload={
                "alert_id": alert.pk,
                "code": alert.code,
                "severity": alert.severity,
                "message": alert.message,
            },
        )
