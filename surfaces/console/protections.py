"""Protection of positions: what was asked for, and how each set stands."""

from django.contrib import admin

from trading.models import Protection

from .base import ReadOnlyAdmin


@admin.register(Protection)
class ProtectionAdmin(ReadOnlyAdmin):
    """Sets of protective legs; they change with their orders and positions."""

    organisation_path = "position__organisation"
    list_display = (
        "position",
        "magic_id",
        "state",
        "problem",
        "stop_price",
        "target_price",
        "trail",
        "best_price",
        "since",
        "checked_at",
        "watched_at",
    )
    list_filter = ("state",)
    list_select_related = ("position",)
    search_fields = ("=position__id", "=magic_id", "position__symbol")
    ordering = ("-id",)
