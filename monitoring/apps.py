"""App configuration."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Alerts with a life cycle and the registry of health checks."""

    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"
