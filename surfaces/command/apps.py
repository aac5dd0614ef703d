"""App configuration."""

from django.apps import AppConfig


class CommandConfig(AppConfig):
    """The dialect of specification 000."""

    name = "surfaces.command"
    label = "command"
