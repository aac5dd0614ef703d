"""Registers the management commands of the wiring."""

from django.apps import AppConfig


class TradingPlatformConfig(AppConfig):
    """Holds no model: it is installed for its commands alone."""

    name = "tradingplatform"
    label = "tradingplatform"
