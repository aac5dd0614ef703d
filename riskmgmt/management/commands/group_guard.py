"""Lists guards of groups and resets a latched one from a terminal; needs no worker or server."""

from argparse import ArgumentParser
from typing import Any

from common.clock import iso
from common.errors import DomainError
from common.money import plain
from common.principal import ADMIN, Principal
from common.terminal import FAILED, USAGE, TerminalCommand
from riskmgmt.group_guards import reset_guard
from riskmgmt.models import GroupGuard

COLUMNS = (
    "id", "group", "book", "currency", "drawdown", "limit", "value", "peak", "peak_at",
    "latched_at",
)  # fmt: skip


class Command(TerminalCommand):
    """``group_guard list``, ``group_guard reset ID --confirm NAME --reason "..."``"""

    help = (
        "Show how far groups are below their peaks, or accept entries of a latched group again. "
        "Examples: group_guard list | group_guard reset 7 --confirm scalpers --reason 'looked at'"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("act", choices=("list", "reset"))
        parser.add_argument("guard", nargs="?", type=int, help="id of the guard to reset")
        parser.add_argument("--confirm", default="", help="the name of the group")
        parser.add_argument("--reason", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reset one if asked to, then list what is in force."""
        if options["act"] == "reset":
            self._reset(options)
        rows = [
            (
                guard.pk,
                guard.group_name,
                guard.book,
                guard.currency,
                plain(guard.drawdown),
                None if guard.max_drawdown is None else plain(guard.max_drawdown),
                plain(guard.value),
                plain(guard.peak),
                iso(guard.peak_at),
                iso(guard.latched_at) if guard.latched_at else None,
            )
            for guard in GroupGuard.objects.current().order_by("pk")
        ]
        self.show(COLUMNS, rows, options)

    def _reset(self, options: dict[str, Any]) -> None:
        found = GroupGuard.objects.filter(pk=options["guard"]).first()
        if found is None:
            raise self.fail("There is no such guard.", USAGE)
        # Whoever may run commands on the machine is the platform's operator.
        principal = Principal(
            organisation_id=found.organisation_id,
            role=ADMIN,
            key="terminal",
            username="terminal",
            is_superuser=True,
        )
        try:
            reset_guard(
                principal=principal,
                guard=found,
                confirm=options["confirm"],
                reason=options["reason"],
            )
        except DomainError as error:
            raise self.fail(f"{error.code}: {error.message}", FAILED) from error
        self.say(f"Reset: {found}.", options)
