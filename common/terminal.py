"""How commands speak: tables for people, tab-separated lines for pipes, one JSON document for
programs.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

DONE, FAILED, USAGE, PARTLY, REFUSED, UNKNOWN, NOT_READY = range(7)


class TerminalCommand(BaseCommand):
    """A command with ``--json`` and ``--quiet`` that prints data to stdout and words to stderr.

    Exit codes: 0 done, 1 failed, 2 usage, 3 partly, 4 refused by risk, 5 unknown outcome, 6 not
    ready.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options every such command has; call it from an override."""
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--quiet", action="store_true", help="print data only, no words")

    def say(self, text: str, options: dict[str, Any]) -> None:
        """A sentence for the person, on stderr."""
        if not options["quiet"]:
            self.stderr.write(text, ending="\n")

    def show(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        options: dict[str, Any],
        document: Any = None,
    ) -> None:
        """Print rows as table, as tab-separated lines when piped, or ``document`` with
        ``--json``.
        """
        texts = [[("" if cell is None else str(cell)) for cell in row] for row in rows]
        if options["json"]:
            plain_rows = [dict(zip(columns, row, strict=True)) for row in texts]
            self.stdout.write(
                json.dumps(document if document is not None else plain_rows, indent=2)
            )
        elif sys.stdout.isatty():
            table = Table(*columns)
            for row in texts:
                table.add_row(*row)
            Console(no_color=True if options.get("no_color") else None).print(table)
        else:
            for row in [list(columns), *texts]:
                self.stdout.write("\t".join(row))

    def fail(self, text: str, code: int = FAILED) -> CommandError:
        """The error to raise: a sentence on stderr and an exit code, no traceback."""
        return CommandError(text, returncode=code)
