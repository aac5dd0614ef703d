"""Reads the audit chains and says whether anything was edited, deleted, reordered or cut off."""

from argparse import ArgumentParser
from typing import Any

from common.terminal import FAILED, USAGE, TerminalCommand
from events.audit_chain import chain_records
from events.verification import verify_all

COLUMNS = ("chain", "seq", "problem")


class Command(TerminalCommand):
    """``verify_audit``; ``verify_audit --chain ID --files``"""

    help = (
        "Verify the chains of audit records and their anchors. Examples: verify_audit | "
        "verify_audit --files | verify_audit --chain platform"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--chain", default="", help="only this chain: an organisation's uuid, or platform"
        )
        parser.add_argument(
            "--files", action="store_true", help="compare the exported files and anchors too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 1 when something is wrong, 2 for a chain that does not exist."""
        chain_records()
        verdict = verify_all(
            name=options["chain"].replace("-", "").lower(), with_files=options["files"]
        )
        if not verdict.chains:
            raise self.fail("There is no such chain.", USAGE)
        rows = [fault.as_json() for fault in verdict.faults]
        self.show(
            COLUMNS, [[row[name] for name in COLUMNS] for row in rows], options, document=rows
        )
        self.say(
            f"{verdict.chains} chains, {verdict.records} records, {verdict.anchors} anchors, "
            f"{len(rows)} faults.",
            options,
        )
        if rows:
            raise SystemExit(FAILED)
