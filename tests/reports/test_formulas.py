"""The formulas against empyrical and against numpy, to 1e-9, and where they are undefined."""

import random
import warnings
from decimal import Decimal

import numpy
import pytest

from common.returns import Valuation
from reports import formulas

with warnings.catch_warnings():  # the library's own imports warn
    warnings.simplefilter("ignore")
    import empyrical

CLOSE = {"rel": 1e-9, "abs": 1e-12}


def series(seed: int, count: int) -> list[float]:
    """Daily returns of a lively market."""
    chance = random.Random(seed)
    return [chance.gauss(0.0008, 0.03) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 30, 1000])
def test_the_figures_are_those_of_a_known_library(seed: int, count: int) -> None:
    ours = series(seed, count)
    theirs = numpy.array(ours)
    assert formulas.compounded(ours) == pytest.approx(
        float(empyrical.cum_returns_final(theirs)), **CLOSE
    )
    assert formulas.max_drawdown(ours) == pytest.approx(
        -float(empyrical.max_drawdown(theirs)), **CLOSE
    )
    assert formulas.volatility(ours) == pytest.approx(
        float(empyrical.annual_volatility(theirs, annualization=365)), **CLOSE
    )
    assert formulas.sharpe_ratio(ours, risk_free=0.0001) == pytest.approx(
        float(empyrical.sharpe_ratio(theirs, risk_free=0.0001, annualization=365)), **CLOSE
    )
    if min(ours) < 0.0002:
        assert formulas.sortino_ratio(ours, target=0.0002) == pytest.approx(
            float(empyrical.sortino_ratio(theirs, required_return=0.0002, annualization=365)),
            **CLOSE,
        )


def test_each_drawdown_is_measured_from_the_peak_before_it() -> None:
    returns = series(3, 500)
    values = numpy.concatenate([[1.0], numpy.cumprod(1.0 + numpy.array(returns))])
    expected = (1.0 - values / numpy.maximum.accumulate(values))[1:]
    assert formulas.drawdowns(returns) == pytest.approx(expected.tolist(), **CLOSE)


def test_another_annualisation_is_the_callers() -> None:
    returns = series(4, 40)
    assert formulas.sharpe_ratio(returns, per_year=252) == pytest.approx(
        float(empyrical.sharpe_ratio(numpy.array(returns), annualization=252)), **CLOSE
    )


def test_trades_are_counted_as_numpy_counts_them() -> None:
    chance = random.Random(7)
    nets = [Decimal(chance.randint(-(10**9), 10**9)) / 10**6 for _ in range(10_000)]
    array = numpy.array([float(each) for each in nets])
    assert formulas.win_rate(nets) == pytest.approx(100.0 * float((array > 0).mean()), **CLOSE)
    assert formulas.profit_factor(nets) == pytest.approx(
        float(array[array > 0].sum() / -array[array < 0].sum()), **CLOSE
    )


def test_deposits_and_withdrawals_leave_the_return_untouched() -> None:
    alone = [Valuation(Decimal(each)) for each in (1000, 1100, 990, 1188)]
    # 5,000 arrive at the second reading and 3,000 leave at the third; the market does the same.
    moved = [
        Valuation(Decimal(1000)),
        Valuation(Decimal(1100), Decimal(5000)),
        Valuation(Decimal(5490), Decimal(-3000)),
        Valuation(Decimal(2988)),
    ]
    assert formulas.linked_returns(alone) == pytest.approx([0.1, -0.1, 0.2], **CLOSE)
    assert formulas.linked_returns(moved) == pytest.approx([0.1, -0.1, 0.2], **CLOSE)
    assert formulas.compounded(formulas.linked_returns(moved)) == pytest.approx(0.188, **CLOSE)


def test_an_empty_account_has_no_return_until_money_arrives() -> None:
    readings = [
        Valuation(Decimal(0)),
        Valuation(Decimal(0), Decimal(100)),
        Valuation(Decimal(150), Decimal(-150)),
        Valuation(Decimal(0)),
    ]
    assert formulas.linked_returns(readings) == pytest.approx([0.0, 0.5, 0.0], **CLOSE)


def test_what_a_series_does_not_define_is_none() -> None:
    assert formulas.compounded([]) == 0.0
    assert formulas.max_drawdown([]) == 0.0
    assert formulas.volatility([0.1]) is None
    assert formulas.volatility([0.1, 0.1, 0.1]) == 0.0
    assert formulas.sharpe_ratio([0.1, 0.1, 0.1]) is None
    assert formulas.sortino_ratio([0.1]) is None
    assert formulas.sortino_ratio([0.1, 0.2]) is None
    assert formulas.win_rate([]) is None
    assert formulas.profit_factor([Decimal(1)]) is None
    assert formulas.profit_factor([Decimal(-1)]) == 0.0


def test_a_total_loss_is_a_drawdown_of_all() -> None:
    assert formulas.drawdowns([0.5, -1.0, 0.3]) == [0.0, 1.0, 1.0]
