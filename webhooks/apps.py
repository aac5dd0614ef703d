"""App configuration."""

from importlib import import_module

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Inbound signals: authenticate, store, deduplicate, hand on."""

    name = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the durable consumer that finishes signals, and what people may be told of."""
        import_module("webhooks.consumers").register_consumers()
        import_module("webhooks.notices").register_topics()
