"""How orders are sent: lanes and their holders, snapshots before the wire; read-only."""

from django.contrib import admin

from trading.models import LaneLease, LaneWorker, Snapshot

from .base import ReadOnlyAdmin


@admin.register(LaneLease)
class LaneLeaseAdmin(ReadOnlyAdmin):
    """Which process sends for which lane."""

    organisation_path = None
    list_display = ("lane", "owner", "fence", "expires_at")


@admin.register(LaneWorker)
class LaneWorkerAdmin(ReadOnlyAdmin):
    """Processes that share the lanes."""

    organisation_path = None
    list_display = ("owner", "expires_at")


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    """What a venue without client ids showed before an order left."""

    organisation_path = "order__organisation"
    list_display = ("order_id", "taken_at", "empty_looks", "empty_since")
    search_fields = ("=order__id",)
    ordering = ("-order_id",)
