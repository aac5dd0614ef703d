"""Alerts and signs of life; an alert's state changes through actions alone."""

from typing import Any

from django.contrib import admin

from common.errors import Conflict
from monitoring.alerts import settle
from monitoring.models import Alert, Heartbeat

from .actions import Order, confirmed_action
from .base import ReadOnlyAdmin


def _setter(state: str) -> Any:
    def apply(alert: Any, order: Order) -> None:
        if not settle(alert, state=state, actor=order.principal.key):
            raise Conflict("The alert was settled already.", code="already_settled")

    return apply


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What an operator should know about."""

    list_display = ("severity", "state", "code", "message", "count", "last_at", "organisation")
    list_filter = ("state", "severity", "code")
    list_select_related = ("organisation",)
    search_fields = ("code", "message", "fingerprint")
    actions = (
        confirmed_action(
            "acknowledge_alerts",
            title="Acknowledge alerts",
            apply=_setter(Alert.State.ACKNOWLEDGED),
            heavy=False,
            permission="manage",
            effect="Somebody has seen these alerts; they stay until resolved.",
        ),
        confirmed_action(
            "resolve_alerts",
            title="Resolve alerts",
            apply=_setter(Alert.State.RESOLVED),
            heavy=False,
            permission="manage",
            effect="The conditions are gone. A repeat raises a new alert.",
        ),
    )


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """Signs of life of the platform's parts."""

    organisation_path = None
    list_display = ("name", "at", "details")
