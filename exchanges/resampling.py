"""Candles of a timeframe that a venue lacks, put together exactly from shorter ones. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from common.money import ZERO, plain

from .timeframes import Timeframe

# ``[ms, open, high, low, close, volume]``, the numbers as text, the volume None where none is told.
Row = list[Any]


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle; ``volume`` is in the unit that the venue tells, None where it tells none."""

    at_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None

    def row(self) -> Row:
        """As candles are told."""
        prices = (self.open, self.high, self.low, self.close)
        volume = None if self.volume is None else plain(self.volume)
        return [self.at_ms, *(plain(price) for price in prices), volume]


@dataclass(frozen=True, slots=True)
class Resampled:
    """Candles, oldest first; ``is_forming`` says that the last may still change."""

    candles: Sequence[Candle]
    is_forming: bool


class Misaligned(ValueError):
    """A candle opens beside the openings of its timeframe, so it may belong to two longer ones."""


def resample(
    candles: Iterable[Candle], part: Timeframe, wanted: Timeframe, *, now_ms: int, read_to_ms: int
) -> Resampled:
    """The ``wanted`` candles made of those of the timeframe ``part``, which may come in any order;
    of two of the same opening the later counts. What was read reaches to ``read_to_ms``, as it was
    known at ``now_ms``. Raises Misaligned.

    None looks whole that is not. The first is left out unless a part opens with it, or before it:
    whether what lies before the oldest part was cut off is not known. The last is left out where
    the reading ended within it, and is forming until its time is over and a part reaches its end.
    Parts missing in between are spans without trades: they add nothing, and a candle without any
    part is not made up.
    """
    by_opening = {candle.at_ms: candle for candle in candles}
    parts = [by_opening[at_ms] for at_ms in sorted(by_opening) if at_ms < read_to_ms]
    if any(candle.at_ms != part.opening(candle.at_ms) for candle in parts):
        raise Misaligned(f"a candle opens beside the openings of {part.name}")
    by_bucket: dict[int, list[Candle]] = {}
    for candle in parts:
        by_bucket.setdefault(wanted.opening(candle.at_ms), []).append(candle)
    openings = list(by_bucket)
    if openings and by_bucket[openings[0]][0].at_ms != openings[0]:
        openings.pop(0)
    if openings and read_to_ms < min(openings[-1] + wanted.length_ms, now_ms):
        openings.pop()
    if not openings:
        return Resampled((), is_forming=False)
    end_ms = openings[-1] + wanted.length_ms
    is_whole = end_ms <= now_ms and parts[-1].at_ms + part.length_ms >= end_ms
    return Resampled([_merged(at, by_bucket[at]) for at in openings], is_forming=not is_whole)


def _merged(at_ms: int, parts: Sequence[Candle]) -> Candle:
    volumes = [part.volume for part in parts if part.volume is not None]
    return Candle(
        at_ms=at_ms,
        open=parts[0].open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=parts[-1].close,
        volume=sum(volumes, ZERO) if len(volumes) == len(parts) else None,
    )
