"""App configuration."""

from importlib import import_module

from django.apps import AppConfig


class RiskManagementConfig(AppConfig):
    """May this order go? Limits, reservations, kill switches."""

    name = "riskmgmt"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what people may be told of."""
        import_module("riskmgmt.notices").register_topics()
