"""The time-weighted return, exact: how a portfolio grew from one valuation to the next.

Source: C. R. Bacon, "Practical Portfolio Performance Measurement and Attribution".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from .money import EXACT, ZERO

ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Valuation:
    """What a portfolio was worth at a moment, and the deposits less withdrawals right after it."""

    equity: Decimal
    flow: Decimal = ZERO


def ratios(valuations: Sequence[Valuation]) -> list[Decimal]:
    """From each valuation to the next, equity over what was there after the flow; 1 where nothing
    was there.
    """
    found = []
    for before, after in zip(valuations, valuations[1:], strict=False):
        start = before.equity + before.flow
        found.append(EXACT.divide(after.equity, start) if start > 0 else ONE)
    return found
