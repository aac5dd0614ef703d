"""App configuration."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Organisations, users, API keys and sessions; who may do what."""

    name = "users"
    default_auto_field = "django.db.models.BigAutoField"
