"""Writes a deposit or withdrawal that the exchange does not tell."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from accounts.models import Account
from common.clock import iso
from common.errors import DomainError
from common.money import InvalidMoney, money, plain
from common.principal import system_principal
from common.terminal import USAGE, TerminalCommand
from trading.services.transfers import record_transfer

COLUMNS = ("flow", "account", "reason", "amount", "currency", "value", "at")


class Command(TerminalCommand):
    """``record_transfer 3 -250 --note "to the futures wallet"``"""

    help = (
        "Money that came into an account (positive) or left it, so that it is no result of "
        "trading. Examples: record_transfer 3 500 | record_transfer 3 -0.2 --currency BTC --at "
        "2026-01-31T12:00+00:00"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("account", type=int)
        parser.add_argument("amount", help="positive for a deposit, negative for a withdrawal")
        parser.add_argument("--currency", default="", help="the account's quote currency else")
        parser.add_argument("--at", type=datetime.fromisoformat, help="when, with its zone; now")
        parser.add_argument("--note", default="", help="why, up to 200 characters")

    def handle(self, *args: Any, **options: Any) -> None:
        """The row that was written."""
        account = Account.objects.filter(pk=options["account"]).first()
        if account is None:
            raise self.fail(f"There is no account {options['account']}.", USAGE)
        at = options["at"]
        if at is not None and at.tzinfo is None:
            raise self.fail("--at needs a time zone, such as 2026-01-31T12:00+00:00.", USAGE)
        try:
            flow = record_transfer(
                principal=system_principal(account.organisation_id, key="terminal"),
                account=account,
                amount=money(options["amount"]),
                currency=options["currency"].upper(),
                at=at,
                note=options["note"][:200],
            )
        except (DomainError, InvalidMoney) as error:
            raise self.fail(str(error), USAGE) from error
        cells = (flow.pk, account.pk, flow.reason, plain(flow.amount), flow.currency)
        self.show(COLUMNS, [(*cells, plain(flow.value), iso(flow.executed_at))], options)
