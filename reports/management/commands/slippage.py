"""Shadow's slippage beside that of orders which were really sent, and what the market did next."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from common.clock import now
from common.money import plain
from common.principal import system_principal
from common.terminal import USAGE, TerminalCommand
from reports.slippage import difference, shown, slippage
from trading.services.follow_ups import HORIZONS
from users.models import Organisation

COLUMNS = (
    "organisation", "symbol", "book", "orders", "value", "slippage_bps",
    *(f"after_{seconds}s_bps" for seconds in HORIZONS),
)  # fmt: skip


class Command(TerminalCommand):
    """``slippage --days 7``"""

    help = (
        "Market orders against the price they were decided at, in basis points: positive slippage "
        "is worse, positive drift went the order's way. Examples: slippage | slippage --days 30 "
        "--account 3"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--days", type=int, default=7, help="how far back, 7 by default")
        parser.add_argument("--account", type=int, default=None, help="only this account")

    def handle(self, *args: Any, **options: Any) -> None:
        """A row for each symbol and book, then how much worse than shadow it really was."""
        if not 0 < options["days"] <= 3650:
            raise self.fail("--days must be 1 to 3650.", USAGE)
        since = now() - timedelta(days=options["days"])
        rows, document = [], []
        for organisation in Organisation.objects.order_by("pk"):
            found = slippage(
                system_principal(organisation.pk), since=since, account_id=options["account"]
            )
            worse = difference(found)
            for each in found:
                drift = [shown(each.drift[at]) if at in each.drift else None for at in HORIZONS]
                figures = (each.orders, plain(each.value), shown(each.slippage))
                rows.append([organisation.name, each.symbol, each.book, *figures, *drift])
            for symbol, points in worse.items():
                text = f"{organisation.name}: {symbol} {shown(points)} bps worse than in shadow."
                self.say(text, options)
            document.append(
                {
                    "organisation": organisation.name,
                    "rows": [each.as_json() for each in found],
                    "worse_than_shadow_bps": {name: shown(bps) for name, bps in worse.items()},
                }
            )
        self.show(COLUMNS, rows, options, document=document)
