"""Derivative accounts without a venue: what it would tell is made up, the ledger is real."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from accounts.models import Account
from accounts.services import create_account
from common.clock import now_ms
from common.principal import Principal
from exchanges.protocol import (
    MarketRules,
    VenueBalance,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueTrade,
)
from tests.trading.hedging import tell
from trading.models import Command, Order, Position
from trading.services.agenda import Report, agenda_of
from trading.services.commands import submit
from trading.services.intents import OrderIntent
from trading.services.market_view import MarketView, Seen
from trading.services.reconcile import import_report

SYMBOL = "BTC/USDT:USDT"
RULES = MarketRules(
    SYMBOL, "BTC", "USDT", "swap", Decimal("0.001"), Decimal("0.1"), min_amount=Decimal("0.001")
)


@dataclass
class Contracts:
    """A swap account whose venue says what the test says."""

    principal: Principal
    account: Account
    wallet: str = "10000"
    is_hedged: bool = False
    rules: MarketRules = RULES
    _ids: Any = field(default_factory=lambda: count(1))

    def ask(self, side: str, quantity: str | None = None, **fields: Any) -> Order | str:
        """Submit one order at a price of 50,000; the order, or the code that refused it."""
        wanted = Decimal(quantity) if quantity else None
        intent = OrderIntent(self.account.pk, self.rules.symbol, side, quantity=wanted, **fields)
        seen = {("rehearsal", False, self.rules.symbol): Seen(self.rules, Decimal(50000))}
        done = submit(
            principal=self.principal, intents=[intent], source="test", markets=MarketView(seen)
        )
        command = Command.objects.get(execution=done)
        return command.reason_code or Order.objects.get(command=command)

    def fill(self, side: str, quantity: str, price: str = "50000", **fields: Any) -> Order:
        """Submit one order and let the venue tell that it is done."""
        order = self.ask(side, quantity, **fields)
        assert isinstance(order, Order), order
        number = next(self._ids)
        Order.objects.filter(pk=order.pk).update(state="OPEN", exchange_order_id=f"o{number}")
        tell(self.account, self.told(f"o{number}", side, quantity, price))
        order.refresh_from_db()
        return order

    def told(
        self, order_id: str, side: str, quantity: str, price: str, position_side: str = ""
    ) -> VenueTrade:
        """A trade as the venue tells it."""
        number = next(self._ids)
        return VenueTrade(
            f"t{number}", order_id, SYMBOL, side, Decimal(quantity), Decimal(price),
            Decimal("0.5"), "USDT", now_ms(), position_side=position_side,
        )  # fmt: skip

    def hear(
        self,
        trades: Iterable[VenueTrade] = (),
        *,
        positions: dict[str, str] | None,
        strangers: Iterable[VenueOrder] = (),
        funding: Iterable[VenueFunding] = (),
    ) -> None:
        """One poll's report; ``positions`` by side (None: as the ledger has them)."""
        held = self.held() if positions is None else positions
        told = [
            VenuePosition(
                SYMBOL, side, Decimal(size), Decimal(size), None, None, is_hedged=self.is_hedged
            )
            for side, size in held.items()
        ]
        report = Report(
            balances={"USDT": VenueBalance("USDT", Decimal(self.wallet), Decimal(0))},
            trades={SYMBOL: list(trades)},
            strangers=list(strangers),
            positions=told,
            is_hedged=self.is_hedged,
            funding={SYMBOL: list(funding)} if funding else {},
        )
        import_report(agenda_of(self.account), report)
        self.account.refresh_from_db()

    def held(self) -> dict[str, str]:
        """What a venue in agreement holds by side."""
        rows = list(Position.objects.open().filter(account=self.account))
        longs = sum((row.quantity for row in rows if row.side == "buy"), Decimal(0))
        shorts = sum((row.quantity for row in rows if row.side == "sell"), Decimal(0))
        if not self.is_hedged:
            net = longs - shorts
            return {"long": str(net)} if net > 0 else {"short": str(-net)}
        return {"long": str(longs), "short": str(shorts)}


def contracts(principal: Principal, *, is_hedged: bool = False, **fields: Any) -> Contracts:
    """A swap account that its venue has told of once."""
    account = create_account(
        principal=principal,
        venue="rehearsal",
        api_key=f"key-{fields}",
        api_secret="secret",
        **{"market_type": "swap", "max_leverage": 10, **fields},
    )
    made = Contracts(principal, account, is_hedged=is_hedged)
    made.hear(positions={})
    return made
