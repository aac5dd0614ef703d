"""App configuration."""

from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Exchange accounts: credentials, grants, balances, equity."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what people may be told of."""
        import_module("accounts.notices").register_topics()
