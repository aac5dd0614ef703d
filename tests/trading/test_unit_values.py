"""The unit value of a group: results move it, money and accounts that come and go do not."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskmgmt.unit_values import EquityReading, Flow, Line, begin, went_on

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """A moment so many minutes after the start."""
    return START + timedelta(minutes=minutes)


def read(minutes: float, **equities: str) -> dict[int, EquityReading]:
    """Readings of accounts ``a1``, ``a2``, …"""
    return {
        int(name[1:]): EquityReading(Decimal(each), at(minutes)) for name, each in equities.items()
    }


def moved(
    account_id: int, value: str, minutes: float, *, told: float, before: tuple[float, str] | None
) -> Flow:
    """A transfer at a minute, told at another, after a reading."""
    reading = None if before is None else EquityReading(Decimal(before[1]), at(before[0]))
    return Flow(
        int(minutes * 1000), account_id, Decimal(value), at(minutes), at(told), before=reading
    )


def step(
    line: Line,
    minutes: float,
    flows: Sequence[Flow] = (),
    *,
    known: float | None = None,
    **equities: str,
) -> Line:
    """Readings at a minute, all that is told by then; transfers are known up to ``known``."""
    told = [flow for flow in flows if flow.told_at <= at(minutes)]
    return went_on(
        line,
        read(minutes, **equities),
        told,
        known_until=at(minutes if known is None else known),
        at=at(minutes),
    )


def shown(line: Line) -> tuple[Decimal, Decimal, Decimal]:
    """Unit value, peak and drawdown."""
    return line.latest.value, line.highest.value, line.drawdown


def test_a_fall_is_measured_from_the_highest_value() -> None:
    line = begin(read(0, a1="10000", a2="10000"), at(0))
    line = step(line, 1, a1="14000", a2="10000")
    assert shown(line) == (Decimal("1.2"), Decimal("1.2"), Decimal(0))
    line = step(line, 2, a1="8000", a2="10000")
    assert shown(line) == (Decimal("0.9"), Decimal("1.2"), Decimal(25))
    assert line.peak.at == at(1)
    line = step(line, 3, a1="14000", a2="11000")
    assert shown(line) == (Decimal("1.25"), Decimal("1.25"), Decimal(0))


@pytest.mark.parametrize("told", [2, 6])
@pytest.mark.parametrize(("amount", "after"), [("-6000", "4000"), ("5000", "15000")])
def test_money_that_comes_or_goes_is_no_result_whenever_it_is_told(
    amount: str, after: str, told: float
) -> None:
    """The balance has it at once; the venue is asked for transfers later."""
    flows = [moved(1, amount, 1.5, told=told, before=(1, "10000"))]
    line = begin(read(0, a1="10000"), at(0))
    line = step(line, 1, known=0, a1="10000")
    for minute in range(2, 8):
        known = 0 if minute < told else minute
        line = step(line, minute, flows, known=known, a1=after)
    assert shown(line) == (Decimal(1), Decimal(1), Decimal(0))
    assert line.peak.value == 1


def test_a_rise_that_turns_out_to_be_a_deposit_was_no_peak() -> None:
    flows = [moved(1, "10000", 1.5, told=3, before=(1, "10000"))]
    line = step(begin(read(0, a1="10000"), at(0)), 2, known=0, a1="20000")
    assert shown(line) == (Decimal(2), Decimal(2), Decimal(0))
    assert line.peak.value == 1
    line = step(line, 3, flows, known=3, a1="20000")
    assert shown(line) == (Decimal(1), Decimal(1), Decimal(0))


def test_a_rise_counts_once_transfers_are_known_up_to_it() -> None:
    line = step(begin(read(0, a1="10000"), at(0)), 2, known=0, a1="12000")
    line = step(line, 3, known=0, a1="11000")
    assert (line.peak.value, line.highest.value) == (1, Decimal("1.2"))
    line = step(line, 4, known=4, a1="9000")
    assert (line.peak, line.risen) == (line.highest, None)
    assert shown(line) == (Decimal("0.9"), Decimal("1.2"), Decimal(25))


def test_a_loss_before_a_deposit_is_measured_on_what_was_there_then() -> None:
    flows = [moved(1, "9000", 2, told=2, before=(1.9, "9000"))]
    line = step(begin(read(0, a1="10000"), at(0)), 3, flows, a1="18000")
    assert shown(line) == (Decimal("0.9"), Decimal(1), Decimal(10))


def test_an_account_that_joins_or_leaves_moves_nothing() -> None:
    line = begin(read(0, a1="10000", a2="10000"), at(0))
    line = step(line, 1, a1="12000", a2="10000")
    line = step(line, 2, a1="12000", a2="10000", a3="100")
    assert shown(line) == (Decimal("1.1"), Decimal("1.1"), Decimal(0))
    line = step(line, 3, a2="10000", a3="100")
    assert shown(line) == (Decimal("1.1"), Decimal("1.1"), Decimal(0))
    line = step(line, 4, a2="5000", a3="50")
    assert shown(line) == (Decimal("0.55"), Decimal("1.1"), Decimal(50))


def test_what_happened_in_the_step_of_a_change_counts_for_those_who_stayed() -> None:
    line = begin(read(0, a1="10000", a2="10000"), at(0))
    line = step(line, 1, known=0, a1="20000", a2="10000")
    line = step(line, 2, known=0, a2="9000")
    assert shown(line) == (Decimal("1.35"), Decimal("1.5"), Decimal(10))


def test_nobody_left_and_nothing_there_keep_the_value() -> None:
    line = step(begin(read(0, a1="10000"), at(0)), 1, a1="9000")
    line = step(line, 2)
    assert line.latest.value == Decimal("0.9")
    line = step(line, 3, a2="0")
    line = step(line, 4, a2="500")
    assert line.latest.value == Decimal("0.9")


def test_everything_lost_is_a_drawdown_of_a_hundred_percent() -> None:
    line = step(begin(read(0, a1="10000"), at(0)), 1, a1="0")
    assert shown(line) == (Decimal(0), Decimal(1), Decimal(100))


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-90, 900), st.integers(0, 3)), max_size=12)
)
def test_the_value_is_the_product_of_the_gains_whatever_comes_and_goes(
    story: list[tuple[int, int, int]],
) -> None:
    """Each step: a gain in percent, then a transfer in percent, told so many steps later."""
    equity, expected = Decimal(1000), Decimal(1)
    line, flows = begin(read(0, a1="1000"), at(0)), []
    for number, (gain, share, late) in enumerate(story):
        minute = 10 * (number + 1)
        before = equity
        equity = (equity * (100 + gain) / 100).quantize(Decimal("0.0001"))
        expected *= equity / before
        reading = (float(minute), str(equity))
        line = step(line, minute, flows, known=0, a1=str(equity))
        amount = (equity * share / 100).quantize(Decimal("0.0001"))
        flows.append(moved(1, str(amount), minute + 1, told=minute + 1 + 10 * late, before=reading))
        equity += amount
    end = 10 * (len(story) + 10)
    line = step(line, end, flows, known=end, a1=str(equity))
    assert line.latest.value == pytest.approx(expected, rel=Decimal("1e-12"))
