"""App configuration."""

from django.apps import AppConfig


class StrategiesConfig(AppConfig):
    """Strategies in sections, indicators, sessions and backtests."""

    name = "strategies"
    label = "strategies"
