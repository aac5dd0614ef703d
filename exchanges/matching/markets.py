"""The markets of the matching core and what each demands of an order."""

from dataclasses import dataclass
from decimal import Decimal

from exchanges.protocol import MarketRules


@dataclass(frozen=True, slots=True)
class Market:
    """One market, spot or a linear perpetual (``BTC/USDT:USDT``), with its filters.

    ``step`` divides every quantity and ``tick`` every price; ``min_notional`` is in the quote
    currency and 0 switches that filter off; commissions are cut (never rounded up) to
    ``fee_decimals`` places. ``start_price`` is where a random walk or a fixed price begins.
    """

    symbol: str
    base: str
    quote: str
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    tick: Decimal
    min_price: Decimal
    max_price: Decimal
    min_notional: Decimal
    start_price: Decimal
    fee_decimals: int = 8

    @property
    def id(self) -> str:
        """The exchange's own name of the market, ``BTCUSDT``."""
        return self.base + self.quote

    @property
    def is_contract(self) -> bool:
        """Whether it is a perpetual contract, settled in its quote currency."""
        return ":" in self.symbol

    @property
    def underlying(self) -> str:
        """The symbol of the spot market it follows; its own when it is one."""
        return f"{self.base}/{self.quote}"


def market(
    symbol: str,
    *,
    step: str,
    tick: str,
    start: str,
    max_quantity: str = "9000",
    min_notional: str = "5",
    fee_decimals: int = 8,
) -> Market:
    """A market whose smallest quantity is one step and whose smallest price is one tick."""
    base, quote = symbol.partition(":")[0].split("/")
    return Market(
        symbol=symbol,
        base=base,
        quote=quote,
        step=Decimal(step),
        min_quantity=Decimal(step),
        max_quantity=Decimal(max_quantity),
        tick=Decimal(tick),
        min_price=Decimal(tick),
        max_price=Decimal(1_000_000),
        min_notional=Decimal(min_notional),
        start_price=Decimal(start),
        fee_decimals=fee_decimals,
    )


def market_from_rules(rules: MarketRules, *, fee_decimals: int = 18) -> Market:
    """The market a venue's own rules describe; bounds the venue leaves open become very wide."""
    wide = Decimal(10) ** 15
    return Market(
        symbol=rules.symbol,
        base=rules.base,
        quote=rules.quote,
        step=rules.amount_step,
        min_quantity=rules.min_amount or rules.amount_step,
        max_quantity=rules.max_amount or wide,
        tick=rules.price_step,
        min_price=rules.price_step,
        max_price=wide,
        min_notional=rules.min_cost or Decimal(0),
        start_price=rules.price_step,
        fee_decimals=fee_decimals,
    )


# DAI/USDT is the exactness market: steps of 10^-18, no smallest value, commissions to 18 places.
DEFAULT_MARKETS: tuple[Market, ...] = (
    market("BTC/USDT", step="0.00001", tick="0.01", start="46000"),
    market("ETH/USDT", step="0.0001", tick="0.01", start="3700"),
    market("SOL/USDT", step="0.001", tick="0.01", start="170", max_quantity="90000"),
    market(
        "DAI/USDT",
        step="0.000000000000000001",
        tick="0.0001",
        start="1",
        max_quantity="1000000000",
        min_notional="0",
        fee_decimals=18,
    ),
)

DEFAULT_CONTRACTS: tuple[Market, ...] = (
    market("BTC/USDT:USDT", step="0.001", tick="0.01", start="46000", max_quantity="1000"),
    market("ETH/USDT:USDT", step="0.001", tick="0.01", start="3700", max_quantity="10000"),
    market("SOL/USDT:USDT", step="0.01", tick="0.01", start="170", max_quantity="100000"),
)
