"""How an order of ours goes to a venue that has one position per symbol, or one per side. Pure.

A venue in one-way mode judges a reduce-only order by its own net position. Our positions of a
hedging account are virtual: long 3 and short 1 are net 2 there, so that a reduce-only close of the
3 would do 2 of it, and with net 0 it is refused. Such a close goes without the mark, capped by our
own position. Where the shortfall is not explained by opposite positions of ours, the mark stays:
the venue then refuses what would open something that nobody wants.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from common.money import ZERO

ONE_WAY, HEDGE = "one_way", "hedge"
LONG, SHORT = "long", "short"
BUY = "buy"


@dataclass(frozen=True, slots=True)
class Holding:
    """An open position of ours: signed base quantity (contracts on derivatives); ``venue_side`` is
    where a venue in hedge mode has it, empty where that is not known.
    """

    quantity: Decimal
    allocated: bool = True
    venue_side: str = ""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a close of one side meets at the venue, in the order's units.

    ``covered`` is what stands there to be closed, less what other live orders will take of it.
    ``opposite`` is what positions of ours on the other side hide of it.
    """

    covered: Decimal
    opposite: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class VenueLeg:
    """The marks an order carries at its venue."""

    position_side: str = ""
    reduce_only: bool = False


def exposure(
    holdings: Iterable[Holding], *, side: str, is_per_side: bool, leaving: Decimal
) -> Exposure:
    """The exposure of a close with this order side.

    ``is_per_side``: our account and its venue both hold the sides apart, so that only holdings of
    the closed side count. ``leaving`` is what live orders of the same side have still to execute.
    """
    sign = -1 if side == BUY else 1
    closed_side = SHORT if side == BUY else LONG
    rows = [each for each in holdings if not is_per_side or each.venue_side in ("", closed_side)]
    standing = sum((each.quantity for each in rows), ZERO) * sign
    hidden = [-each.quantity * sign for each in rows if each.allocated and each.quantity * sign < 0]
    return Exposure(standing - leaving, sum(hidden, ZERO))


def venue_leg(
    *,
    market_type: str,
    venue_mode: str,
    side: str,
    reduce_only: bool,
    quantity: Decimal,
    exposure: Exposure,
) -> VenueLeg:
    """The marks of one order; spot has none. At a venue in hedge mode a close names the side it
    closes, everything else the side it opens.
    """
    if market_type == "spot":
        return VenueLeg()
    opens = LONG if side == BUY else SHORT
    closes = SHORT if side == BUY else LONG
    position_side = ""
    if venue_mode == HEDGE:
        position_side = closes if reduce_only else opens
    is_hidden = exposure.covered < quantity <= exposure.covered + exposure.opposite
    return VenueLeg(position_side, reduce_only and not is_hidden)
