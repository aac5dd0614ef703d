"""App configuration."""

from importlib import import_module

from django.apps import AppConfig


class TerminalConfig(AppConfig):
    """The dialect of specification 004."""

    name = "surfaces.terminal"
    label = "terminal"

    def ready(self) -> None:
        """Register the streams of its socket."""
        import_module("surfaces.terminal.streams").register_streams()
