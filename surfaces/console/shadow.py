"""What the market did after shadow's fills."""

from django.contrib import admin

from trading.models import FollowUp

from .base import ReadOnlyAdmin


@admin.register(FollowUp)
class FollowUpAdmin(ReadOnlyAdmin):
    """Prices at fixed horizons after each shadow deal."""

    organisation_path = "deal__organisation"
    list_display = ("deal", "seconds", "price", "at", "missed")
    list_filter = ("seconds", "missed")
    list_select_related = ("deal",)
    search_fields = ("=deal__id", "deal__symbol")
    ordering = ("-id",)
