"""The records of the margin core and their JSON forms."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from exchanges.matching.records import BOTH, LONG, SHORT, ZERO, plain

PLACES = Decimal("0.00000001")
CROSSED, ISOLATED = "CROSSED", "ISOLATED"
DEFAULT_LEVERAGE = 20

REALIZED, COMMISSION, FUNDING = "REALIZED_PNL", "COMMISSION", "FUNDING_FEE"
TRANSFER, INSURANCE = "TRANSFER", "INSURANCE_CLEAR"


@dataclass(slots=True)
class Position:
    """A position: ``quantity`` is negative when short; ``cost`` is what its quantity was entered
    for and never negative; ``isolated`` is the margin set aside for it alone.
    """

    symbol: str
    side: str = BOTH
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    isolated: Decimal = ZERO
    updated_ms: int = 0

    @property
    def entry(self) -> Decimal:
        """The average entry price to eight places, 0 when flat."""
        return (self.cost / abs(self.quantity)).quantize(PLACES) if self.quantity else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """The profit at a price."""
        worth = abs(self.quantity) * mark
        return worth - self.cost if self.quantity > 0 else self.cost - worth

    def to_json(self) -> list[Any]:
        """The record as JSON."""
        return [
            self.symbol, self.side, plain(self.quantity), plain(self.cost), plain(self.isolated),
            self.updated_ms,
        ]  # fmt: skip

    @classmethod
    def from_json(cls, row: list[Any]) -> "Position":
        """The record of ``to_json``."""
        symbol, side, quantity, cost, isolated, updated = row
        return cls(symbol, side, Decimal(quantity), Decimal(cost), Decimal(isolated), updated)


@dataclass(frozen=True, slots=True)
class Income:
    """One change of a margin wallet; ``id`` rises over all accounts."""

    id: int
    account: str
    kind: str
    symbol: str
    asset: str
    amount: Decimal
    at_ms: int
    trade_id: int = 0

    def to_json(self) -> list[Any]:
        """The record as JSON."""
        return [
            self.id, self.account, self.kind, self.symbol, self.asset, plain(self.amount),
            self.at_ms, self.trade_id,
        ]  # fmt: skip

    @classmethod
    def from_json(cls, row: list[Any]) -> "Income":
        """The record of ``to_json``."""
        number, account, kind, symbol, asset, amount, at_ms, trade_id = row
        return cls(number, account, kind, symbol, asset, Decimal(amount), at_ms, trade_id)


@dataclass(slots=True)
class MarginAccount:
    """Settings and positions of one account; its wallet is the ``Account``'s of the currency."""

    hedged: bool = False
    leverage: dict[str, int] = field(default_factory=dict)
    isolated: set[str] = field(default_factory=set)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    incomes: list[Income] = field(default_factory=list)

    def leverage_of(self, symbol: str) -> int:
        """The leverage of a symbol."""
        return self.leverage.get(symbol, DEFAULT_LEVERAGE)

    def position(self, symbol: str, side: str) -> Position:
        """The position, made on first use."""
        key = (symbol, side)
        if key not in self.positions:
            self.positions[key] = Position(symbol, side)
        return self.positions[key]

    def sides(self) -> tuple[str, ...]:
        """The position sides the account has: one that nets, or two."""
        return (LONG, SHORT) if self.hedged else (BOTH,)

    def held(self, symbol: str | None = None) -> list[Position]:
        """The positions that are not flat."""
        rows = self.positions.values()
        return [p for p in rows if p.quantity and symbol in (None, p.symbol)]

    def to_json(self) -> dict[str, Any]:
        """Settings and positions as JSON; incomes are written by themselves."""
        return {
            "hedged": self.hedged,
            "leverage": self.leverage,
            "isolated": sorted(self.isolated),
            "positions": [p.to_json() for p in self.positions.values()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over ``to_json``."""
        self.hedged = state["hedged"]
        self.leverage = dict(state["leverage"])
        self.isolated = set(state["isolated"])
        rows = [Position.from_json(row) for row in state["positions"]]
        self.positions = {(p.symbol, p.side): p for p in rows}
