"""The values that cross the border between the platform and an exchange, and the client protocol.

Every quantity and price is a ``Decimal``; times are milliseconds since the epoch, UTC. ``symbol``
is the unified form (``BTC/USDT``, ``BTC/USDT:USDT``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

OPEN, FILLED, CANCELED, EXPIRED, REJECTED = "open", "filled", "canceled", "expired", "rejected"


@dataclass(frozen=True, slots=True)
class MarketRules:
    """What a venue demands of orders in one market; ``None`` where the venue sets no bound.

    ``amount_step`` and ``price_step`` are the smallest increments; ``min_cost`` is in the quote
    currency; ``contract_size`` is base units per contract (1 on spot); ``max_leverage`` is the
    market's highest factor.
    """

    symbol: str
    base: str
    quote: str
    market_type: str
    amount_step: Decimal
    price_step: Decimal
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    min_cost: Decimal | None = None
    contract_size: Decimal = Decimal(1)
    active: bool = True
    max_leverage: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order as it goes to a venue. ``quantity`` is in base units (contracts on derivatives).

    ``type`` is market, limit, stop_loss or take_profit; the last two are triggered at
    ``stop_price`` and become market orders, or limit orders when ``price`` is given.
    ``position_side`` is long or short at a venue in hedge mode, else empty; there the order's side
    tells whether it opens or closes that position.
    """

    symbol: str
    side: str
    type: str
    quantity: Decimal
    client_order_id: str
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = "gtc"
    post_only: bool = False
    reduce_only: bool = False
    position_side: str = ""

    @property
    def is_contract(self) -> bool:
        """Whether the symbol is a derivative's (``BTC/USDT:USDT``)."""
        return ":" in self.symbol

    @property
    def is_triggered(self) -> bool:
        """Whether the order waits for ``stop_price``."""
        return self.type in ("stop_loss", "take_profit")


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """One execution as the venue tells it. ``fee`` is a cost when positive, in ``fee_currency``.

    ``position_side`` is long or short where a venue in hedge mode says which position it changed.
    """

    trade_id: str
    exchange_order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    executed_ms: int
    client_order_id: str = ""
    position_side: str = ""
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue tells it; ``status`` is one of the words at the top of this module."""

    exchange_order_id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    status: str
    quantity: Decimal
    filled: Decimal
    price: Decimal | None = None
    average: Decimal | None = None
    created_ms: int | None = None
    trades: tuple[VenueTrade, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VenueBalance:
    """What an account holds of one currency."""

    currency: str
    free: Decimal
    used: Decimal

    @property
    def total(self) -> Decimal:
        """Free plus locked."""
        return self.free + self.used


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """An open position as the venue tells it; ``side`` is long or short.

    ``contracts`` is what orders are counted in, ``quantity`` the same in base units (contracts x
    contract size). ``is_hedged`` says that the venue keeps the two sides of the symbol apart.
    """

    symbol: str
    side: str
    contracts: Decimal
    quantity: Decimal
    entry_price: Decimal | None
    leverage: Decimal | None
    is_hedged: bool
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VenueFunding:
    """One funding payment of a perpetual contract; ``amount`` is positive when received."""

    payment_id: str
    symbol: str
    amount: Decimal
    currency: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class VenueTransfer:
    """Money that came into the account (positive ``amount``) or left it, fee included."""

    transfer_id: str
    amount: Decimal
    currency: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A last traded price with the moment it was taken (milliseconds).

    ``stamped_ms`` is the venue's own time of it, on our clock, where the venue gives one.
    ``volume`` is what was traded within a day, in the base currency, where the venue tells it.
    """

    symbol: str
    price: Decimal
    at_ms: int
    bid: Decimal | None = None
    ask: Decimal | None = None
    stamped_ms: int | None = None
    volume: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AccountRef:
    """What the gateway must know of an account. ``secrets`` yields ccxt's credential fields when
    asked.

    A change of ``version`` makes a new client.
    """

    account_id: int
    venue: str
    market_type: str
    book: str
    version: int
    is_testnet: bool = False
    quote_currency: str = "USDT"
    secrets: Callable[[], dict[str, str]] = field(default=dict, compare=False, repr=False)


class VenueClient(Protocol):
    """What one account can do at its venue. All methods run on the gateway's loop.

    Errors are ``exchanges.outcomes.VenueError`` with an outcome class; nothing else is raised.
    """

    async def place(self, request: OrderRequest) -> VenueOrder:
        """Send one order, once. Never retried here."""
        ...

    async def cancel(self, symbol: str, client_order_id: str, exchange_order_id: str) -> None:
        """Ask the venue to cancel; success says only that the venue took the request."""
        ...

    async def edit(self, exchange_order_id: str, request: OrderRequest) -> None:
        """Change a working limit order in place to the request's price and total quantity; it keeps
        both ids. Success says only that the venue took the request. NOT_SENT ``not_supported``
        where the venue has no such edit (``quirks.edits``).
        """
        ...

    async def find_order(
        self, symbol: str, client_order_id: str, exchange_order_id: str
    ) -> VenueOrder | None:
        """The order, or ``None`` when the venue says it does not know it (evidence, not proof)."""
        ...

    async def open_orders(self, symbol: str) -> list[VenueOrder]:
        """Working orders of one symbol."""
        ...

    async def trades(self, symbol: str, since_ms: int | None) -> list[VenueTrade]:
        """Own executions of one symbol, oldest first, from ``since_ms`` on (pages are joined)."""
        ...

    async def balances(self) -> dict[str, VenueBalance]:
        """Non-zero balances by currency."""
        ...

    async def positions(self, symbols: Sequence[str]) -> list[VenuePosition]:
        """Open positions of these symbols; always empty on spot."""
        ...

    async def funding(self, symbol: str, since_ms: int) -> list[VenueFunding]:
        """Funding payments of one symbol from ``since_ms`` on; empty where there are none."""
        ...

    async def transfers(self, since_ms: int) -> list[VenueTransfer]:
        """Deposits and withdrawals that are done, oldest first; on derivatives what came into and
        left their wallet. Empty where the venue has no such list. What is told twice has one id.
        """
        ...

    async def is_hedged(self, symbol: str = "") -> bool:
        """Whether the account holds long and short apart at the venue; some venues decide that per
        symbol.
        """
        ...

    async def may_trade(self) -> bool | None:
        """Whether the account's key may place orders; None where the venue does not tell."""
        ...

    async def may_withdraw(self) -> bool | None:
        """Whether whoever holds the account's key can take money away; None where the venue does
        not tell.
        """
        ...

    async def count_down(self, symbol: str, seconds: int) -> None:
        """Start the venue's countdown to cancelling all orders anew, 0 stops it; of one symbol, or
        of the whole account where the venue knows no other (``quirks.countdown``). NOT_SENT
        ``not_supported`` where it has none.
        """
        ...

    async def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Set a symbol's leverage; no error when it has that value already."""
        ...
