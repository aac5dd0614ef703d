"""Leverage brackets: the larger a position, the less leverage and the more maintenance margin."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Tier:
    """Up to ``cap`` (in quote currency) a position may have ``leverage`` and needs ``rate`` of its
    value, less ``deduction``, as maintenance margin.
    """

    floor: Decimal
    cap: Decimal
    leverage: int
    rate: Decimal
    deduction: Decimal


def _ladder(*steps: tuple[int, int, str]) -> tuple[Tier, ...]:
    tiers: list[Tier] = []
    floor, rate, deduction = Decimal(0), Decimal(0), Decimal(0)
    for cap, leverage, share in steps:
        # The deduction keeps the margin continuous from one bracket to the next.
        deduction += floor * (Decimal(share) - rate)
        rate = Decimal(share)
        tiers.append(Tier(floor, Decimal(cap), leverage, rate, deduction))
        floor = Decimal(cap)
    return tuple(tiers)


TIERS = _ladder(
    (50_000, 125, "0.004"),
    (250_000, 100, "0.005"),
    (1_000_000, 50, "0.01"),
    (10_000_000, 20, "0.025"),
    (20_000_000, 10, "0.05"),
    (50_000_000, 5, "0.1"),
    (200_000_000, 1, "0.5"),
)
HIGHEST_LEVERAGE = TIERS[0].leverage


def maintenance(value: Decimal) -> Decimal:
    """The maintenance margin of a position of this value."""
    tier = next((t for t in TIERS if value <= t.cap), TIERS[-1])
    return value * tier.rate - tier.deduction


def largest_value(leverage: int) -> Decimal:
    """The largest position value allowed at a leverage."""
    return max((t.cap for t in TIERS if t.leverage >= leverage), default=Decimal(0))
