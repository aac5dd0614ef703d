"""Signals: read-only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from common.redaction import redact
from webhooks.models import Signal

from .base import ReadOnlyAdmin


@admin.register(Signal)
class SignalAdmin(ReadOnlyAdmin):
    """Authentic alerts and what became of them."""

    list_display = (
        "id",
        "bot",
        "state",
        "reason_code",
        "success_count",
        "error_count",
        "deliveries",
        "received_at",
    )
    list_filter = ("state", "reason_code", "auth_mode", "used_previous_secret")
    list_select_related = ("bot",)
    search_fields = ("correlation_id", "alert_id", "bot__name")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """The body is redacted once more."""
        return [
            "body_redacted" if name == "body" else name for name in super().get_fields(request, obj)
        ]

    @admin.display(description="body")
    def body_redacted(self, signal: Signal) -> str:
        """The alert as received, without secrets."""
        return redact(signal.body)
