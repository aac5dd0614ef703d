"""App configuration."""

from django.apps import AppConfig


class ExchangesConfig(AppConfig):
    """The only folder that imports ccxt: gateway, venues, matching core, simulator."""

    name = "exchanges"
    label = "exchanges"
