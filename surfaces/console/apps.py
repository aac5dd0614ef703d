"""App configuration."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The operator console: every ModelAdmin of the platform."""

    name = "surfaces.console"
    label = "console"
