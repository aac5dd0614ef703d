"""The log: read-only."""

from django.contrib import admin

from events.models import (
    ConsumerCursor,
    Event,
    ParkedEvent,
    Sequence,
)

from .base import ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Numbered events."""

    list_display = ("seq", "kind", "topics", "organisation", "created_at")
    list_filter = ("kind",)
    list_select_related = ("organisation",)
    search_fields = ("=seq", "kind")
    ordering = ("-id",)


@admin.register(ConsumerCursor)
class ConsumerCursorAdmin(ReadOnlyAdmin):
    """How far the consumers have come."""

    organisation_path = None
    list_display = ("name", "seq", "failures", "last_error", "updated_at")


@admin.register(ParkedEvent)
class ParkedEventAdmin(ReadOnlyAdmin):
    """Events that a consumer could not digest."""

    organisation_path = "event__organisation"
    list_display = ("consumer", "event", "error", "parked_at", "settled_at")
    list_select_related = ("event",)
    list_filter = ("consumer",)
    ordering = ("-id",)


@admin.register(Sequence)
class SequenceAdmin(ReadOnlyAdmin):
    """The last numbers given out."""

    organisation_path = None
    list_display = ("name", "last")
