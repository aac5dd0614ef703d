"""Engages, releases and lists kill switches from a terminal; needs no worker, queue or server."""

from argparse import ArgumentParser
from typing import Any

from accounts.books import MODES
from common.clock import iso
from common.errors import DomainError
from common.principal import ADMIN, Principal
from common.terminal import FAILED, USAGE, TerminalCommand
from riskmgmt.models import KillSwitch, Scope
from riskmgmt.switches import engage, release
from users.models import Organisation

COLUMNS = ("id", "scope", "scope_id", "level", "mode", "reason", "actor", "engaged_at")


class Command(TerminalCommand):
    """``kill_switch engage --reason "..."``, ``kill_switch release ID --confirm REDUCING``"""

    help = (
        "Stop trading. Examples: kill_switch engage --reason 'bad fills' | "
        "kill_switch engage --scope account --scope-id 3 --level HALTED --reason key | "
        "kill_switch release 7 --confirm REDUCING | kill_switch list"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("act", choices=("engage", "release", "list"))
        parser.add_argument("switch", nargs="?", type=int, help="id of the switch to release")
        parser.add_argument("--scope", choices=Scope.values, default=Scope.ORGANISATION.value)
        parser.add_argument("--scope-id", type=int, default=0)
        parser.add_argument(
            "--level", choices=KillSwitch.Level.values, default=KillSwitch.Level.REDUCING.value
        )
        parser.add_argument(
            "--mode", choices=MODES, default="", help="only orders of this mode; all without it"
        )
        parser.add_argument("--reason", default="")
        parser.add_argument("--confirm", default="", help="the level of the switch, to release it")
        parser.add_argument(
            "--organisation", default="", help="name; needed where there are several"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        """Act, then list what is engaged."""
        if options["act"] != "list":
            if options["dry_run"]:
                self.say(f"Would {options['act']} {options['scope']} {options['level']}.", options)
            else:
                self._act(options)
        rows = KillSwitch.objects.engaged().order_by("pk")
        self.show(
            COLUMNS,
            [
                (
                    each.pk,
                    each.scope,
                    each.scope_id,
                    each.level,
                    each.mode,
                    each.reason,
                    each.actor,
                    iso(each.engaged_at),
                )
                for each in rows
            ],
            options,
        )

    def _act(self, options: dict[str, Any]) -> None:
        principal = self._principal(options)
        try:
            if options["act"] == "engage":
                switch = engage(
                    principal=principal,
                    scope=options["scope"],
                    scope_id=options["scope_id"],
                    level=options["level"],
                    mode=options["mode"],
                    reason=options["reason"],
                )
                self.say(f"Engaged: {switch}.", options)
            else:
                found = KillSwitch.objects.filter(pk=options["switch"]).first()
                if found is None:
                    raise self.fail("There is no such switch.", USAGE)
                release(principal=principal, switch=found, confirm=options["confirm"])
                self.say(f"Released: {found}.", options)
        except DomainError as error:
            raise self.fail(f"{error.code}: {error.message}", FAILED) from error

    def _principal(self, options: dict[str, Any]) -> Principal:
        """Whoever may run commands on the machine is the platform's operator."""
        rows = Organisation.objects.order_by("pk")
        if options["organisation"]:
            rows = rows.filter(name__iexact=options["organisation"])
        found = list(rows[:2])
        if len(found) != 1:
            raise self.fail("Say which organisation: --organisation NAME.", USAGE)
        return Principal(
            organisation_id=found[0].pk,
            role=ADMIN,
            key="terminal",
            username="terminal",
            is_superuser=True,
        )
