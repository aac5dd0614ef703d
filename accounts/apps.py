"""App configuration."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Exchange accounts: credentials, grants, balances, equity."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
