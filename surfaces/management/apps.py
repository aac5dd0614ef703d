"""App configuration."""

from django.apps import AppConfig


class ManagementConfig(AppConfig):
    """The dialect of specification 001."""

    name = "surfaces.management"
    label = "management"
