"""Hedging accounts for tests: made at the rehearsal exchange, traded through the one door."""

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import transaction

from accounts.models import Account
from accounts.services import create_account
from common.clock import now_ms
from common.principal import Principal
from exchanges.protocol import VenueTrade
from tests.trading.rehearsal import Exchange
from trading.models import Command, Order, Position
from trading.services import execution, reconcile
from trading.services.commands import submit
from trading.services.fills import import_trades, locked_cursor
from trading.services.intents import OrderIntent
from trading.services.rebuild import check_stream, streams
from trading.services.transitions import Moves

SYMBOL = "BTC/USDT"


@dataclass
class Book:
    """One account with the means to trade it; ``symbol`` is what all its orders are about."""

    principal: Principal
    exchange: Exchange
    account: Account
    key: str
    symbol: str = SYMBOL
    _ids: Any = field(default_factory=lambda: count(1))

    def ask(self, side: str, quantity: str | None = None, **fields: Any) -> Order | str:
        """Submit one order; the order, or the code that refused it."""
        wanted = Decimal(quantity) if quantity else None
        intent = OrderIntent(self.account.pk, self.symbol, side, quantity=wanted, **fields)
        done = submit(principal=self.principal, intents=[intent], source="test")
        command = Command.objects.get(execution=done)
        return command.reason_code or Order.objects.get(command=command)

    def trade(self, side: str, quantity: str | None = None, **fields: Any) -> Order:
        """Submit one order, send it and import what it brought."""
        order = self.ask(side, quantity, **fields)
        assert isinstance(order, Order), order
        self.work()
        order.refresh_from_db()
        return order

    def work(self) -> None:
        """Send what waits and poll the account."""
        execution.run(list(Order.objects.due_to_send().values_list("pk", flat=True)))
        reconcile.poll([Account.objects.get(pk=self.account.pk)])

    def open(self) -> list[tuple[str, str]]:
        """Side and quantity of the open positions that somebody owns, oldest first."""
        rows = Position.objects.open().filter(account=self.account, allocated=True)
        return [(row.side, str(row.quantity)) for row in rows.order_by("pk")]

    def told(self, order: Order | None, side: str, quantity: str, price: str) -> VenueTrade:
        """A trade as the venue would tell it."""
        return VenueTrade(
            trade_id=f"t{next(self._ids)}",
            exchange_order_id=order.exchange_order_id if order else "stranger",
            symbol=self.symbol,
            side=side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            fee=Decimal("0.3"),
            fee_currency="USDT",
            executed_ms=now_ms(),
        )


def tell(account: Account, *trades: VenueTrade) -> None:
    """Import trades of one symbol as if the venue had told them."""
    moves = Moves()
    with transaction.atomic():
        locked_cursor(account, trades[0].symbol)
        import_trades(account, trades[0].symbol, list(trades), moves)
        moves.flush()


def open_book(principal: Principal, exchange: Exchange, key: str, **fields: Any) -> Book:
    """A hedging account (or as ``fields`` say) with 100,000 USDT and 10 BTC at the exchange."""
    exchange.register(key, f"secret-of-{key}", USDT="100000", BTC="10")
    account = create_account(
        principal=principal,
        venue="rehearsal",
        api_key=key,
        api_secret=f"secret-of-{key}",
        **{"position_mode": "hedge", **fields},
    )
    reconcile.poll([account])
    return Book(principal, exchange, Account.objects.get(pk=account.pk), key)


def ledger_differences() -> list[Any]:
    """What a rebuild from deals would change."""
    return [each for stream in streams() for each in check_stream(stream)]
