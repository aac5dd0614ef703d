"""App configuration."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """Read-only answers that combine many apps."""

    name = "reports"
    label = "reports"
