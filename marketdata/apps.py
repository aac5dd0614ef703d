"""App configuration."""

from django.apps import AppConfig


class MarketDataConfig(AppConfig):
    """What is known of markets: trading rules and last prices."""

    name = "marketdata"
    default_auto_field = "django.db.models.BigAutoField"
