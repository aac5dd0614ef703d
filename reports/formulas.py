"""The formulas of performance, as pure functions over series; none reads a row.

Ratios are floats: they are statistics of exact money, never booked. A figure that its series does
not define (no trades, no spread, no loss) is None, never zero or infinity.

Sources: C. R. Bacon, "Practical Portfolio Performance Measurement and Attribution" (time-weighted
return, drawdown); W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994);
F. A. Sortino and R. van der Meer, "Downside Risk", Journal of Portfolio Management 17 (1991).
``docs/performance-figures.md`` writes each of them out.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal

from common.money import ZERO
from common.returns import Valuation, ratios

# Crypto markets trade every day of the year.
DAYS_PER_YEAR = 365


def linked_returns(valuations: Sequence[Valuation]) -> list[float]:
    """The return from each valuation to the next, as fractions: equity over what was there after
    the flow, less one; 0 where nothing was there.
    """
    return [float(ratio) - 1.0 for ratio in ratios(valuations)]


def compounded(returns: Iterable[float]) -> float:
    """Returns one after the other as one: the time-weighted return of their links."""
    return math.prod(1.0 + each for each in returns) - 1.0


def drawdowns(returns: Iterable[float]) -> list[float]:
    """After each return, how far below the highest value so far, as a fraction from 0 to 1; the
    value before the first return counts as a peak.
    """
    value = peak = 1.0
    found = []
    for each in returns:
        value *= 1.0 + each
        peak = max(peak, value)
        found.append(1.0 - value / peak if peak > 0 else 0.0)
    return found


def max_drawdown(returns: Iterable[float]) -> float:
    """The deepest of :func:`drawdowns`, 0 without a fall."""
    return max(drawdowns(returns), default=0.0)


def volatility(returns: Sequence[float], *, per_year: float = DAYS_PER_YEAR) -> float | None:
    """Sample standard deviation times the root of the periods per year; None below two returns."""
    spread = _deviation(returns)
    return None if spread is None else spread * math.sqrt(per_year)


def sharpe_ratio(
    returns: Sequence[float], *, risk_free: float = 0.0, per_year: float = DAYS_PER_YEAR
) -> float | None:
    """Mean excess return over its sample standard deviation, annualised.

    ``risk_free`` is the return per period, not per year. None without a spread.
    """
    excess = [each - risk_free for each in returns]
    spread = _deviation(excess)
    if not spread:
        return None
    return _mean(excess) / spread * math.sqrt(per_year)


def sortino_ratio(
    returns: Sequence[float], *, target: float = 0.0, per_year: float = DAYS_PER_YEAR
) -> float | None:
    """Mean excess return over the downside deviation (over all periods), annualised.

    ``target`` is the return per period asked for. None below two returns or without a shortfall.
    """
    excess = [each - target for each in returns]
    if len(excess) < 2:
        return None
    downside = math.sqrt(_mean([min(each, 0.0) ** 2 for each in excess]))
    return _mean(excess) / downside * math.sqrt(per_year) if downside else None


def win_rate(nets: Sequence[Decimal]) -> float | None:
    """Trades that earned more than they cost in percent of all, a flat one not counted as won."""
    return 100.0 * sum(each > 0 for each in nets) / len(nets) if nets else None


def profit_factor(nets: Sequence[Decimal]) -> float | None:
    """Sum of the gains over the sum of the losses of trades; None without a loss."""
    losses = -sum((each for each in nets if each < 0), ZERO)
    gains = sum((each for each in nets if each > 0), ZERO)
    return float(gains / losses) if losses else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation; 0 for values that are all the same, whatever rounding says."""
    if len(values) < 2:
        return None
    if min(values) == max(values):
        return 0.0
    mean = _mean(values)
    return math.sqrt(math.fsum((each - mean) ** 2 for each in values) / (len(values) - 1))
