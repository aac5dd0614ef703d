"""App configuration."""

from importlib import import_module

from django.apps import AppConfig


class BotsConfig(AppConfig):
    """Named signal receivers: which accounts a signal reaches."""

    name = "bots"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what people may be told of."""
        import_module("bots.notices").register_topics()
