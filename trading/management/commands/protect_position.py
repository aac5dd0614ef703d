"""Changes what protects an open position, from a terminal."""

from argparse import ArgumentParser
from typing import Any

from common.errors import DomainError
from common.money import InvalidMoney
from common.principal import system_principal
from common.terminal import FAILED, USAGE, TerminalCommand
from trading.brackets import as_level
from trading.models import Position
from trading.services.rewishing import Wishes, protect_position

COLUMNS = ("position", "owner", "state", "problem", "stop_price", "target_price", "trailing_stop")
LEGS = ("stop_loss", "take_profit", "trailing_stop")


class Command(TerminalCommand):
    """``protect_position 12 --stop-loss 2% --take-profit 55000``"""

    help = (
        "Change what protects a position; 0 gives a leg up. Examples: "
        "protect_position 12 --stop-loss 2% | protect_position 12 --trailing-stop 500 --owner 7"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("position", type=int)
        parser.add_argument("--owner", type=int, default=0, help="whose share; 0 = manual")
        for name in LEGS:
            parser.add_argument(f"--{name.replace('_', '-')}", default=None)

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 1 when it is refused."""
        found = Position.objects.filter(pk=options["position"]).select_related("account").first()
        if found is None:
            raise self.fail("There is no such position.", USAGE)
        try:
            wishes = {
                name: None if options[name] is None else as_level(options[name]) for name in LEGS
            }
            row = protect_position(
                principal=system_principal(found.organisation_id, "terminal"),
                position=found,
                wishes=Wishes(**wishes),
                magic_id=options["owner"],
            )
        except InvalidMoney as error:
            raise self.fail(str(error), USAGE) from error
        except DomainError as error:
            raise self.fail(f"{error.code}: {error.message}", FAILED) from error
        values = (row.position_id, row.magic_id, row.state, row.problem)
        legs = (row.stop_price, row.target_price, row.trail)
        self.show(COLUMNS, [(*values, *legs)], options)
