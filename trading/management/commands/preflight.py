"""Says check by check whether an order would go, without sending it."""

from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from accounts.books import MODES
from accounts.models import Account
from common.errors import DomainError
from common.money import InvalidMoney, money
from common.principal import system_principal
from common.terminal import REFUSED, USAGE, TerminalCommand
from marketdata.symbols import unified_symbol
from trading.models.orders import OrderType, Side
from trading.services.intents import OrderIntent
from trading.services.preflight import preflight

COLUMNS = ("check", "ok", "code", "value", "limit", "message")
WORDS = {True: "yes", False: "no", None: "-"}


class Command(TerminalCommand):
    """``preflight 3 BTC/USDT buy --quantity 0.01``"""

    help = (
        "Would this order go? Nothing is sent. Examples: preflight 3 BTC/USDT buy --quantity 0.01 "
        "| preflight 3 BTC/USDT buy --quantity 0.01 --type limit --price 50000 --take-profit 3%% "
        "--mode shadow"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("account", type=int, help="number of the account")
        parser.add_argument("symbol")
        parser.add_argument("side", choices=Side.values)
        parser.add_argument("--quantity", default=None, help="in base units")
        parser.add_argument("--type", choices=OrderType.values, default=OrderType.MARKET.value)
        parser.add_argument("--price", default=None)
        parser.add_argument("--stop-price", default=None)
        parser.add_argument("--take-profit", default="", help="3%% of the fill price, or a price")
        parser.add_argument("--leverage", type=int, default=0)
        parser.add_argument("--reduce-only", action="store_true")
        parser.add_argument("--mode", choices=MODES, default="")
        parser.add_argument("--allow-downgrade", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 0 when the order would go, 4 when it would not."""
        account = Account.objects.filter(pk=options["account"], deleted_at=None).first()
        if account is None:
            raise self.fail(f"There is no account {options['account']}.", USAGE)
        try:
            found = preflight(
                principal=system_principal(account.organisation_id, "terminal"),
                intent=self._intent(options),
            )
        except DomainError as error:
            raise self.fail(f"{error.message} ({error.code})", USAGE) from error
        rows = [
            (each.name, WORDS[each.ok], each.code, each.value, each.limit, each.message)
            for each in found.checks
        ]
        self.show(COLUMNS, rows, options, document=found.as_json())
        if not found.would_go:
            self.say(f"It would not go: {found.code}.", options)
            raise SystemExit(REFUSED)
        self.say(f"It would go, in the book {found.book}.", options)

    def _intent(self, options: dict[str, Any]) -> OrderIntent:
        return OrderIntent(
            account_id=options["account"],
            symbol=unified_symbol(options["symbol"]),
            side=options["side"],
            type=options["type"],
            quantity=self._amount(options, "quantity"),
            price=self._amount(options, "price"),
            stop_price=self._amount(options, "stop_price"),
            leverage=options["leverage"],
            take_profit=self._take_profit(options),
            reduce_only=options["reduce_only"],
            mode=options["mode"],
            allow_downgrade=options["allow_downgrade"],
        )

    def _take_profit(self, options: dict[str, Any]) -> str:
        text: str = options["take_profit"].strip()
        if text:
            self._amount({"take_profit": text.removesuffix("%")}, "take_profit")
        return text

    def _amount(self, options: dict[str, Any], name: str) -> Decimal | None:
        text = options[name]
        if text is None:
            return None
        try:
            value = money(text)
        except InvalidMoney as error:
            raise self.fail(f"--{name.replace('_', '-')}: {error}", USAGE) from error
        if value <= 0:
            raise self.fail(f"--{name.replace('_', '-')} must be above 0", USAGE)
        return value
