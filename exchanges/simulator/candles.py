"""Candle files and tables: reading, cutting a sample, and adding candles up to longer ones.

The sample beside the app (``exchanges/data/btcusd-1m.csv``) holds the first rows of a month of real
one-minute candles; ``manage.py simulator --cut-sample SRC`` cuts it again from the whole file.
"""

import csv
import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "btcusd-1m.csv"
SAMPLE_ROWS = 3000
HEADER = ["timestamp", "open", "high", "low", "close", "volume"]
BLOCK = 128
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle; ``volume`` is in the quote currency."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    def path(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """The four prices in the order walked: a rising candle visits its low first."""
        if self.close >= self.open:
            return self.open, self.low, self.high, self.close
        return self.open, self.high, self.low, self.close


class CandleTable:
    """Candles of equal length that can be added up over any stretch, wrapping at the end."""

    def __init__(self, candles: Iterable[Candle]) -> None:
        self.candles = list(candles)
        if not self.candles:
            raise ValueError("a candle table needs at least one candle")
        self.volumes = list(itertools.accumulate((c.volume for c in self.candles), initial=ZERO))
        blocks = [self.candles[i : i + BLOCK] for i in range(0, len(self.candles), BLOCK)]
        self._highs = [max(c.high for c in block) for block in blocks]
        self._lows = [min(c.low for c in block) for block in blocks]

    def __len__(self) -> int:
        return len(self.candles)

    def at(self, index: int) -> Candle:
        """The candle at ``index``, counted round and round."""
        return self.candles[index % len(self.candles)]

    def merged(self, first: int, last: int) -> Candle:
        """The candles ``first`` to ``last`` (both included, counted round and round) as one."""
        size = len(self.candles)
        turns, rest = divmod(last - first, size)
        start = first % size
        stop = start + rest + 1
        pieces = [(start, stop)] if stop <= size else [(start, size), (0, stop - size)]
        high, low = self._extremes([(0, size)] if turns else pieces)
        volume = turns * self.volumes[-1] + sum(
            (self.volumes[b] - self.volumes[a] for a, b in pieces), ZERO
        )
        return Candle(self.at(first).open, high, low, self.at(last).close, volume)

    def _extremes(self, pieces: list[tuple[int, int]]) -> tuple[Decimal, Decimal]:
        highs: list[Decimal] = []
        lows: list[Decimal] = []
        for start, stop in pieces:
            index = start
            while index < stop:
                if index % BLOCK == 0 and index + BLOCK <= stop:
                    highs.append(self._highs[index // BLOCK])
                    lows.append(self._lows[index // BLOCK])
                    index += BLOCK
                else:
                    highs.append(self.candles[index].high)
                    lows.append(self.candles[index].low)
                    index += 1
        return max(highs), min(lows)


def read_candles(path: Path, tick: Decimal) -> CandleTable:
    """Read a candle CSV, prices brought to ``tick``. Raises ``ValueError`` naming the bad line."""
    candles = []
    with path.open(newline="") as source:
        for number, row in enumerate(csv.DictReader(source), start=2):
            try:
                opened, high, low, close = (Decimal(row[n]).quantize(tick) for n in HEADER[1:5])
                candles.append(Candle(opened, high, low, close, Decimal(row["volume"])))
            except (ArithmeticError, KeyError, TypeError) as error:
                raise ValueError(f"{path.name} line {number}: not a candle") from error
    return CandleTable(candles)


def walk_candles(*, start: Decimal, tick: Decimal, seed: str, count: int = 3000) -> CandleTable:
    """A seeded random walk as candles, bent so that its end meets its beginning."""
    source = random.Random(seed)  # noqa: S311
    size = start / 2000
    steps = [Decimal(source.randint(-1000, 1000)) / 1000 * size for _ in range(count * 4)]
    drift = sum(steps, ZERO) / len(steps)
    prices = [
        max(tick, p.quantize(tick))
        for p in itertools.accumulate((step - drift for step in steps), initial=start)
    ]
    candles = []
    for i in range(count):
        part = prices[i * 4 : i * 4 + 5]
        volume = start * source.randint(1, 40)
        candles.append(Candle(part[0], max(part), min(part), part[-1], volume))
    return CandleTable(candles)


def cut_sample(source: Path, target: Path = SAMPLE, rows: int = SAMPLE_ROWS) -> int:
    """Write the first ``rows`` candles of ``source`` to ``target`` and return how many there were.

    Times lose their zero fractions and numbers their trailing zeros; nothing else changes.
    """
    with source.open(newline="") as whole, target.open("w", newline="") as sample:
        writer = csv.writer(sample, lineterminator="\n")
        writer.writerow(HEADER)
        count = 0
        for row in itertools.islice(csv.DictReader(whole), rows):
            at = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
            numbers = [format(Decimal(row[name]).normalize(), "f") for name in HEADER[1:]]
            writer.writerow([at.strftime("%Y-%m-%d %H:%M:%S"), *numbers])
            count += 1
    return count
