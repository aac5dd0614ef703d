"""The records of the matching core and their JSON forms. Types and states are Binance's words."""

from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

ZERO = Decimal(0)
# Wide enough that no product or sum of 18-place money is ever rounded.
EXACT = Context(prec=96)

NEW, PARTIALLY_FILLED, FILLED = "NEW", "PARTIALLY_FILLED", "FILLED"
CANCELED, EXPIRED = "CANCELED", "EXPIRED"
TRADE, AMENDMENT = "TRADE", "AMENDMENT"

MARKET, LIMIT, LIMIT_MAKER = "MARKET", "LIMIT", "LIMIT_MAKER"
STOP_LOSS, STOP_LOSS_LIMIT = "STOP_LOSS", "STOP_LOSS_LIMIT"
TAKE_PROFIT, TAKE_PROFIT_LIMIT = "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"
ORDER_TYPES = (
    MARKET, LIMIT, LIMIT_MAKER, STOP_LOSS, STOP_LOSS_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT,
)  # fmt: skip
STOP_TYPES = frozenset({STOP_LOSS, STOP_LOSS_LIMIT})
TRIGGERED_TYPES = STOP_TYPES | {TAKE_PROFIT, TAKE_PROFIT_LIMIT}
PRICED_TYPES = frozenset({LIMIT, LIMIT_MAKER, STOP_LOSS_LIMIT, TAKE_PROFIT_LIMIT})
BUY, SELL = "buy", "sell"
# The side of a hedged position; BOTH is the one position of an account that nets.
BOTH, LONG, SHORT = "BOTH", "LONG", "SHORT"


class Refusal(Exception):
    """The core does not take the request and nothing has moved. ``code`` is stable, for mapping."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


@dataclass(frozen=True, slots=True)
class FeeRule:
    """``rate`` is a fraction of the trade's value (0.001 is 0.1 %).

    ``taken_in`` is ``received`` (base on a buy, quote on a sell) or ``quote`` (always quote).
    """

    rate: Decimal = Decimal("0.001")
    taken_in: str = "received"


@dataclass(frozen=True, slots=True)
class FillPlan:
    """How an order fills: in ``parts`` trades, at once or one per tick, after ``delay_ms``."""

    parts: int = 1
    over_ticks: bool = False
    delay_ms: int = 0


AT_ONCE = FillPlan()


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as asked for. A market buy may give ``quote_quantity`` instead of ``quantity``."""

    symbol: str
    side: str
    type: str
    quantity: Decimal
    client_id: str
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = "GTC"
    quote_quantity: Decimal | None = None
    position_side: str = BOTH
    reduce_only: bool = False


@dataclass(slots=True)
class BookOrder:
    """An order the core has accepted; ``locked`` is what it still holds in a wallet's ``used``."""

    id: int
    account: str
    client_id: str
    symbol: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    time_in_force: str
    created_ms: int
    updated_ms: int
    status: str = NEW
    filled: Decimal = ZERO
    quote_filled: Decimal = ZERO
    quote_quantity: Decimal | None = None
    locked: Decimal = ZERO
    triggered: bool = False
    resting: bool = False
    parts_left: int = 1
    over_ticks: bool = False
    hold_until_ms: int = 0
    position_side: str = BOTH
    reduce_only: bool = False

    @property
    def remaining(self) -> Decimal:
        """Quantity not filled yet."""
        return self.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether the order may still fill."""
        return self.status in (NEW, PARTIALLY_FILLED)

    @property
    def waits_for_trigger(self) -> bool:
        """Whether the stop price has not been reached yet."""
        return self.type in TRIGGERED_TYPES and not self.triggered

    def to_json(self) -> dict[str, Any]:
        """The record as JSON, decimals as text."""
        return {
            "id": self.id,
            "account": self.account,
            "client_id": self.client_id,
            "symbol": self.symbol,
            "side": self.side,
            "type": self.type,
            "quantity": plain(self.quantity),
            "price": optional_text(self.price),
            "stop_price": optional_text(self.stop_price),
            "time_in_force": self.time_in_force,
            "created_ms": self.created_ms,
            "updated_ms": self.updated_ms,
            "status": self.status,
            "filled": plain(self.filled),
            "quote_filled": plain(self.quote_filled),
            "quote_quantity": optional_text(self.quote_quantity),
            "locked": plain(self.locked),
            "triggered": self.triggered,
            "resting": self.resting,
            "parts_left": self.parts_left,
            "over_ticks": self.over_ticks,
            "hold_until_ms": self.hold_until_ms,
            "position_side": self.position_side,
            "reduce_only": self.reduce_only,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "BookOrder":
        """The record of ``to_json``."""
        values = dict(state)
        for name in ("quantity", "filled", "quote_filled", "locked"):
            values[name] = Decimal(values[name])
        for name in ("price", "stop_price", "quote_quantity"):
            values[name] = None if values[name] is None else Decimal(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class BookTrade:
    """One execution; ``id`` rises per symbol over all accounts.

    ``realized`` is the profit a contract's fill made, in quote currency and before its commission.
    """

    id: int
    order_id: int
    account: str
    client_id: str
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    at_ms: int
    maker: bool
    realized: Decimal = ZERO

    @property
    def value(self) -> Decimal:
        """Price times quantity, exact."""
        return EXACT.multiply(self.price, self.quantity)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON, decimals as text."""
        return {
            "id": self.id,
            "order_id": self.order_id,
            "account": self.account,
            "client_id": self.client_id,
            "symbol": self.symbol,
            "side": self.side,
            "price": plain(self.price),
            "quantity": plain(self.quantity),
            "commission": plain(self.commission),
            "commission_asset": self.commission_asset,
            "at_ms": self.at_ms,
            "maker": self.maker,
            "realized": plain(self.realized),
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "BookTrade":
        """The record of ``to_json``."""
        values = dict(state)
        for name in ("price", "quantity", "commission", "realized"):
            values[name] = Decimal(values.get(name, 0))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Event:
    """A step in an order's life: NEW, TRADE, CANCELED or EXPIRED; the order as it then stood."""

    kind: str
    order: BookOrder
    trade: BookTrade | None
    status: str
    filled: Decimal
    quote_filled: Decimal
    at_ms: int


@dataclass(slots=True)
class Wallet:
    """What one account holds of one currency."""

    free: Decimal = ZERO
    used: Decimal = ZERO


@dataclass(slots=True)
class Account:
    """One account's wallets, orders and trades (by symbol, in order of their ids)."""

    name: str
    initial: dict[str, Decimal]
    wallets: dict[str, Wallet] = field(default_factory=dict)
    orders: dict[int, BookOrder] = field(default_factory=dict)
    by_client: dict[str, BookOrder] = field(default_factory=dict)
    trades: dict[str, list[BookTrade]] = field(default_factory=dict)

    def wallet(self, currency: str) -> Wallet:
        """The wallet of ``currency``, made on first use."""
        wallet = self.wallets.get(currency)
        if wallet is None:
            wallet = self.wallets[currency] = Wallet()
        return wallet

    def remember(self, order: BookOrder) -> None:
        """Index an order; a newer order takes over a client id used again."""
        self.orders[order.id] = order
        known = self.by_client.get(order.client_id)
        if known is None or known.id <= order.id:
            self.by_client[order.client_id] = order


def plain(number: Decimal) -> str:
    """A decimal as text without an exponent."""
    return format(number, "f")


def optional_text(number: Decimal | None) -> str | None:
    """``plain`` that lets ``None`` through."""
    return None if number is None else format(number, "f")
