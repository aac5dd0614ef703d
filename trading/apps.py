"""App configuration."""

from importlib import import_module

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """The ledger: commands, orders, deals, positions, and what moves them."""

    name = "trading"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the ledger's durable consumers and what people may be told of."""
        import_module("trading.consumers").register_consumers()
        import_module("trading.notices").register_topics()
