"""App configuration."""

from importlib import import_module

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Alerts with a life cycle, the registry of health checks, notifications out."""

    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the topics that are this app's own."""
        import_module("monitoring.notices").register_topics()
