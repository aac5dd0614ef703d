"""App configuration."""

from django.apps import AppConfig


class RiskManagementConfig(AppConfig):
    """May this order go? Limits, reservations, kill switches."""

    name = "riskmgmt"
    default_auto_field = "django.db.models.BigAutoField"
