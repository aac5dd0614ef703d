"""The record of log-ins on pages, failed and good; for the platform's operator."""

from axes.models import AccessFailureLog, AccessLog
from django.apps import apps
from django.contrib import admin

from .base import ReadOnlyAdmin

# What the section is called; the package's name tells nobody anything.
apps.get_app_config("axes").verbose_name = "Log-ins"


@admin.register(AccessFailureLog)
class AccessFailureLogAdmin(ReadOnlyAdmin):
    """Refused log-ins. Names that nobody has are not kept: they may be mistyped passwords."""

    organisation_path = None
    list_display = ("attempt_time", "username", "ip_address", "user_agent", "path_info")
    search_fields = ("username", "ip_address")
    ordering = ("-attempt_time",)


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    """Log-ins on pages and when they ended."""

    organisation_path = None
    list_display = ("attempt_time", "username", "ip_address", "user_agent", "logout_time")
    search_fields = ("username", "ip_address")
    ordering = ("-attempt_time",)
