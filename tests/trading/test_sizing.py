"""The table of sizing: from a percentage at risk or an amount to a quantity, or a coded reason."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.protocol import MarketRules
from trading.sizing import AMOUNT, RISK_PERCENT, Basis, SizeSpec, fit_quantity, size_order

RULES = MarketRules(
    "BTC/USDT:USDT", "BTC", "USDT", "swap", Decimal("0.001"), Decimal("0.1"),
    min_amount=Decimal("0.001"), max_amount=Decimal(100), min_cost=Decimal(5),
)  # fmt: skip
BASIS = Basis(rules=RULES, price=Decimal(50_000), equity=Decimal(10_000))


def risk(percent: str) -> SizeSpec:
    """So many percent of equity."""
    return SizeSpec(RISK_PERCENT, Decimal(percent))


@pytest.mark.parametrize(
    ("spec", "change", "quantity", "notional"),
    [
        (risk("2"), {"leverage": 5}, "0.02", "1000"),
        (risk("2"), {}, "0.004", "200"),
        # 200 at risk over 1,000 of distance.
        (risk("2"), {"leverage": 5, "stop_price": Decimal(49_000)}, "0.2", "10000"),
        (risk("2"), {"leverage": 5, "stop_price": Decimal(51_000)}, "0.2", "10000"),
        # 2 BTC would be ten times the equity: capped at 99.5 % of it.
        (risk("2"), {"stop_price": Decimal(49_900)}, "0.199", "9950"),
        (risk("2"), {"leverage": 5, "stop_price": Decimal(49_900)}, "0.995", "49750"),
        (SizeSpec(AMOUNT, Decimal(100), "USDT"), {}, "0.002", "100"),
        (SizeSpec(AMOUNT, Decimal("0.0127"), "BTC"), {}, "0.012", "600"),
    ],
)
def test_what_is_asked_for_becomes_a_quantity(
    spec: SizeSpec, change: dict[str, Any], quantity: str, notional: str
) -> None:
    sized = size_order(spec, replace(BASIS, **change))
    assert (sized.code, sized.quantity, sized.notional) == (
        "", Decimal(quantity), Decimal(notional)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "change", "code"),
    [
        (risk("2"), {"stop_price": Decimal(50_000)}, "stop_at_price"),
        (risk("2"), {"equity": Decimal(0)}, "no_equity"),
        (risk("2"), {"equity": Decimal(-1)}, "no_equity"),
        (risk("2"), {"equity": Decimal(200)}, "below_min_notional"),
        (risk("2"), {"equity": Decimal(1_000)}, "below_min_amount"),
        # 0.0019 would be cut to 0.001: 47 % less than was asked for.
        (SizeSpec(AMOUNT, Decimal("0.0019"), "BTC"), {}, "size_distorted"),
        (SizeSpec(AMOUNT, Decimal(101), "BTC"), {}, "above_max_amount"),
        (SizeSpec(AMOUNT, Decimal(1), "EUR"), {}, "unknown_size_unit"),
    ],
)
def test_what_cannot_be_had_is_refused_and_never_rounded_up(
    spec: SizeSpec, change: dict[str, Any], code: str
) -> None:
    sized = size_order(spec, replace(BASIS, **change))
    assert (sized.code, sized.quantity) == (code, Decimal(0))
    assert sized.message


def test_a_minimum_value_is_held_against_what_is_left_after_the_cut() -> None:
    rules = replace(RULES, min_cost=Decimal(110))
    sized = fit_quantity(Decimal("0.0023"), replace(BASIS, rules=rules))
    assert (sized.code, sized.quantity) == ("below_min_notional", Decimal(0))


@given(
    percent=st.decimals("0.01", "100", places=2),
    equity=st.decimals("1", "1000000", places=2),
    leverage=st.integers(1, 125),
    distance=st.none() | st.decimals("1", "40000", places=1),
)
def test_no_size_ever_risks_more_than_was_asked_for(
    percent: Decimal, equity: Decimal, leverage: int, distance: Decimal | None
) -> None:
    stop = None if distance is None else BASIS.price - distance
    basis = replace(BASIS, equity=equity, leverage=leverage, stop_price=stop)
    sized = size_order(SizeSpec(RISK_PERCENT, percent), basis)
    if sized.code:
        return
    assert sized.notional <= equity * leverage
    risked = sized.notional / leverage if distance is None else sized.quantity * distance
    assert risked <= equity * percent / 100
    assert sized.quantity % RULES.amount_step == 0


@pytest.mark.parametrize(
    "spec", [risk("2"), risk("0.25"), SizeSpec(AMOUNT, Decimal("0.01"), "BTC")]
)
def test_a_size_is_read_from_its_own_text(spec: SizeSpec) -> None:
    assert SizeSpec.from_text(spec.as_text()) == spec
