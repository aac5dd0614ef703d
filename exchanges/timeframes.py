"""Timeframes of candles: how long they are, when they open, and what a missing one is made of.

Everything opens on UTC. Timeframes of seconds, minutes, hours and days are counted from the Unix
epoch (1970-01-01 00:00), which gives the days their midnight and ``3d`` its anchor: a ``3d`` candle
opens on every third day after 1970-01-01. Weeks open on Mondays. Months and years have no fixed
length; they are never resampled.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

SECOND_MS = 1000
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
# The first Monday after the epoch, which was a Thursday.
MONDAY_MS = 4 * DAY_MS
# A missing candle is made of at most this many.
MOST_PARTS = 1500
_UNITS_MS = {"s": SECOND_MS, "m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": WEEK_MS}
_PATTERN = re.compile(r"([1-9][0-9]{0,3})([smhdw])\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Timeframe:
    """A timeframe of fixed length, in milliseconds; ``anchor_ms`` is one of its openings."""

    name: str
    length_ms: int
    anchor_ms: int

    def opening(self, at_ms: int) -> int:
        """When the candle that ``at_ms`` lies in opens."""
        return at_ms - (at_ms - self.anchor_ms) % self.length_ms

    def next_opening(self, at_ms: int) -> int:
        """The first opening at ``at_ms`` or later."""
        return self.opening(at_ms + self.length_ms - 1)


def timeframe_of(name: str) -> Timeframe | None:
    """The timeframe of a name as ccxt spells it; None for one without a fixed length."""
    found = _PATTERN.match(name)
    if found is None:
        return None
    length_ms = int(found[1]) * _UNITS_MS[found[2]]
    return Timeframe(name, length_ms, MONDAY_MS if found[2] == "w" else 0)


def parts_of(wanted: Timeframe, offered: Collection[str]) -> list[Timeframe]:
    """Which of the ``offered`` timeframes a missing one can be resampled from, the largest first.

    A part divides the missing one and a day: where a venue lets its own longer candles open is
    known of no venue.
    """
    known = [each for each in map(timeframe_of, offered) if each is not None]
    parts = [
        each
        for each in known
        if each.length_ms < wanted.length_ms <= each.length_ms * MOST_PARTS
        and wanted.length_ms % each.length_ms == 0
        and DAY_MS % each.length_ms == 0
    ]
    return sorted(parts, key=lambda each: each.length_ms, reverse=True)


@dataclass(frozen=True, slots=True)
class TimeframeSupport:
    """Whether a venue has a timeframe itself (``is_native``), or else from what its candles are
    ``resampled_from``; neither where it can tell none.
    """

    is_native: bool
    resampled_from: str | None


def support_of(name: str, offered: Collection[str]) -> TimeframeSupport:
    """How a venue that offers these timeframes tells candles of one."""
    if name in offered:
        return TimeframeSupport(is_native=True, resampled_from=None)
    wanted = timeframe_of(name)
    parts = parts_of(wanted, offered) if wanted else []
    return TimeframeSupport(is_native=False, resampled_from=parts[0].name if parts else None)
