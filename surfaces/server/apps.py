"""App configuration."""

from django.apps import AppConfig


class ServerConfig(AppConfig):
    """The dialect of specification 003."""

    name = "surfaces.server"
    label = "server"
