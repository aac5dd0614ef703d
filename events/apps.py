"""App configuration."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """The append-only log: numbered events, audit records, durable consumers."""

    name = "events"
    default_auto_field = "django.db.models.BigAutoField"
