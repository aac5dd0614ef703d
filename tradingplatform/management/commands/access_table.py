"""Prints ``docs/access.md``."""

from typing import Any

from django.core.management.base import BaseCommand

from tradingplatform import access_table


class Command(BaseCommand):
    """Who may call what, as a page."""

    help = "Prints the table of all routes and who may call them, for docs/access.md."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(access_table.written(), ending="")
