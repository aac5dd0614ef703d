"""App configuration."""

from django.apps import AppConfig


class GroupsConfig(AppConfig):
    """Groups of accounts and the risk settings they share."""

    name = "groups"
    default_auto_field = "django.db.models.BigAutoField"
