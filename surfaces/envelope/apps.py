"""App configuration."""

from importlib import import_module

from django.apps import AppConfig


class EnvelopeConfig(AppConfig):
    """The dialect of specification 002."""

    name = "surfaces.envelope"
    label = "envelope"

    def ready(self) -> None:
        """Register the messages of its socket."""
        import_module("surfaces.envelope.messages").register_messages()
