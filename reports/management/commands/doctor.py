"""Says check by check whether the installation can work."""

from typing import Any

from common.terminal import FAILED as EXIT_FAILED
from common.terminal import TerminalCommand
from reports.doctor import FAILED, examine

COLUMNS = ("check", "result", "advice")


class Command(TerminalCommand):
    """``doctor``"""

    help = (
        "Settings, database, Redis, a worker for each queue and lane, each account's key, its right"
        " to withdraw, clock and position mode, notification channels, mail and the address to "
        "whitelist; nothing is changed. Examples: doctor | doctor --json"
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """A line per check; exit code 1 when one failed, warnings alone are 0."""
        found = [(each.check, each.result, each.advice) for each in examine()]
        self.show(COLUMNS, found, options)
        failed = sum(result == FAILED for _, result, _ in found)
        if failed:
            self.say(f"{failed} of {len(found)} checks failed.", options)
            raise SystemExit(EXIT_FAILED)
        self.say("No check failed.", options)
