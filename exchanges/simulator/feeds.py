"""Where prices come from. A feed is a pure function of time: history never changes its mind."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from exchanges.matching import Market
from exchanges.simulator.candles import CandleTable, read_candles, walk_candles

MINUTE_MS = 60_000
LONGEST_PATH = 4000


@dataclass(frozen=True, slots=True)
class Kline:
    """One candle of the exchange's own clock; ``volume`` is in the base currency."""

    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal


class CandleFeed:
    """Replays one-minute candles ``acceleration`` times as fast as they happened, round and round.

    Inside a candle the price stands a quarter of its time at each point of its path. The first
    candle begins at ``anchor_ms``; the table also runs back into the past, so there is history.
    """

    def __init__(self, table: CandleTable, *, anchor_ms: int, acceleration: float = 1) -> None:
        self.table = table
        self.anchor_ms = anchor_ms
        self._speed = max(1, round(acceleration * 1000))

    def price(self, at_ms: int) -> Decimal:
        """The price at a moment."""
        return self._price_of(self._quarter(at_ms))

    def path(self, after_ms: int, until_ms: int) -> list[Decimal]:
        """Every price visited after one moment and until another (the last few thousand)."""
        first, last = self._quarter(after_ms) + 1, self._quarter(until_ms)
        return [self._price_of(q) for q in range(max(first, last - LONGEST_PATH), last + 1)]

    def kline(self, open_ms: int, length_ms: int, now_ms: int) -> Kline:
        """The candle from ``open_ms`` on; one that is still running ends at the price of now."""
        end_ms = open_ms + length_ms
        first = self._quarter(open_ms) // 4
        last = max(first, (self._quarter(min(end_ms - 1, now_ms))) // 4)
        whole = self.table.merged(first, last)
        close = self.price(now_ms) if now_ms < end_ms else whole.close
        volume = (whole.volume / whole.close).quantize(Decimal("0.00001"))
        return Kline(
            open_ms, end_ms - 1, whole.open, whole.high, whole.low, close, volume, whole.volume
        )

    def _quarter(self, at_ms: int) -> int:
        return (at_ms - self.anchor_ms) * self._speed * 4 // (MINUTE_MS * 1000)

    def _price_of(self, quarter: int) -> Decimal:
        return self.table.at(quarter // 4).path()[quarter % 4]


class FixedFeed:
    """A price that stands still until somebody sets it."""

    def __init__(self, price: Decimal) -> None:
        self.value = price

    def price(self, at_ms: int) -> Decimal:
        """The price, whatever the moment."""
        return self.value

    def path(self, after_ms: int, until_ms: int) -> list[Decimal]:
        """Nothing: a standing price visits no other."""
        return []

    def kline(self, open_ms: int, length_ms: int, now_ms: int) -> Kline:
        """A flat candle without volume."""
        p = self.value
        return Kline(open_ms, open_ms + length_ms - 1, p, p, p, p, Decimal(0), Decimal(0))


Feed = CandleFeed | FixedFeed


def walk_feed(market: Market, *, seed: int, anchor_ms: int, acceleration: float) -> CandleFeed:
    """A feed on a seeded random walk of its own for each market."""
    table = walk_candles(start=market.start_price, tick=market.tick, seed=f"{seed}:{market.symbol}")
    return CandleFeed(table, anchor_ms=anchor_ms, acceleration=acceleration)


def build_feed(
    market: Market,
    *,
    mode: str,
    candles: Path,
    seed: int,
    anchor_ms: int,
    acceleration: float,
) -> Feed:
    """The feed of one market: BTC/USDT follows the candle file in the mode ``candles``, every other
    market a walk; ``fixed`` stands at the market's start price."""
    if mode == "fixed":
        return FixedFeed(market.start_price)
    if mode == "candles" and market.symbol == "BTC/USDT":
        table = read_candles(candles, market.tick)
        return CandleFeed(table, anchor_ms=anchor_ms, acceleration=acceleration)
    return walk_feed(market, seed=seed, anchor_ms=anchor_ms, acceleration=acceleration)
