"""Books of the paper venue: read-only, for the platform's operator."""

from django.contrib import admin

from exchanges.models import PaperBook

from .base import ReadOnlyAdmin


@admin.register(PaperBook)
class PaperBookAdmin(ReadOnlyAdmin):
    """State of the paper venue by account."""

    organisation_path = None
    list_display = ("account_id", "book", "updated_at")
