"""Lists every error code a caller can meet, and writes the page about them."""

from argparse import ArgumentParser
from typing import Any

from common.terminal import TerminalCommand
from surfaces.error_codes import as_markdown, error_codes
from tradingplatform.settings.environment import BASE_DIR

PAGE = BASE_DIR / "docs" / "error-codes.md"
COLUMNS = ("section", "code", "status", "sentence")


class Command(TerminalCommand):
    """``error_codes``; ``error_codes --write``"""

    help = "List the error codes. Examples: error_codes | error_codes --json | error_codes --write"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--write", action="store_true", help="write docs/error-codes.md")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the table, or writes the page."""
        if options["write"]:
            PAGE.write_text(as_markdown(), encoding="utf-8")
            self.say(f"{len(error_codes())} codes written to docs/error-codes.md.", options)
            return
        rows = [[getattr(row, name) for name in COLUMNS] for row in error_codes()]
        self.show(COLUMNS, rows, options)
