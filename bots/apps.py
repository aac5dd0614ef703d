"""App configuration."""

from django.apps import AppConfig


class BotsConfig(AppConfig):
    """Named signal receivers: which accounts a signal reaches."""

    name = "bots"
    default_auto_field = "django.db.models.BigAutoField"
