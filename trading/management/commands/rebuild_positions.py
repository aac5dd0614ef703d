"""Replays all deals and compares the positions they make with the stored ones."""

from argparse import ArgumentParser
from typing import Any

from common.terminal import FAILED, USAGE, TerminalCommand
from trading.services.rebuild import check_stream, streams

COLUMNS = ("account_id", "symbol", "position_id", "stored", "replayed")


class Command(TerminalCommand):
    """``rebuild_positions --check``; ``rebuild_positions --repair --yes``"""

    help = (
        "Compare positions with their deals. Examples: rebuild_positions --check | "
        "rebuild_positions --repair --yes"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--check", action="store_true", help="compare only (the default)")
        parser.add_argument("--repair", action="store_true", help="write what the deals say")
        parser.add_argument("--yes", action="store_true", help="do not ask before repairing")
        parser.add_argument("--account", type=int, default=None, help="only this account")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 1 when a difference stands."""
        if options["check"] and options["repair"]:
            raise self.fail("Say either --check or --repair.", USAGE)
        if options["repair"] and not options["yes"]:
            raise self.fail("Repairing rewrites positions: say --yes.", USAGE)
        chosen = [stream for stream in streams() if options["account"] in (None, stream.account_id)]
        differences = [
            difference
            for stream in chosen
            for difference in check_stream(stream, repair=options["repair"])
        ]
        rows = [each.as_json() for each in differences]
        self.show(
            COLUMNS, [[row[name] for name in COLUMNS] for row in rows], options, document=rows
        )
        self.say(f"{len(chosen)} position streams, {len(differences)} differences.", options)
        if differences and not options["repair"]:
            raise SystemExit(FAILED)
