"""Which of the orders at a venue without client ids is ours: nothing is guessed."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.clock import now, to_ms
from exchanges.protocol import OPEN, OrderRequest, VenueBalance, VenueOrder, VenueTrade
from trading.matching import ABSENT, ADOPT, ASK, WAIT, After, Before, Patience, judge

SENT_AT = now()
REQUEST = OrderRequest(
    symbol="BTC/USDT",
    side="buy",
    type="limit",
    quantity=Decimal("0.5"),
    client_order_id="ours",
    price=Decimal(100),
)
BEFORE = Before(
    taken_at=SENT_AT,
    order_ids=frozenset({"1"}),
    trade_ids=frozenset({"t1"}),
    balances={"USDT": (Decimal(1000), Decimal(0))},
)
BALANCES = {"USDT": VenueBalance("USDT", Decimal(1000), Decimal(0))}
PATIENT = Patience(3, SENT_AT, SENT_AT + timedelta(seconds=60))
HASTY = (
    replace(PATIENT, looks=2),
    replace(PATIENT, moment=SENT_AT + timedelta(seconds=59)),
)


def order(order_id: str, **changes: Any) -> VenueOrder:
    """An order at the venue that fits the request."""
    fitting = VenueOrder(
        exchange_order_id=order_id,
        client_order_id="theirs",
        symbol="BTC/USDT",
        side="buy",
        type="limit",
        status=OPEN,
        quantity=Decimal("0.5"),
        filled=Decimal(0),
        price=Decimal(100),
        created_ms=to_ms(SENT_AT),
    )
    return replace(fitting, **changes)


def trade(trade_id: str, order_id: str, **changes: Any) -> VenueTrade:
    """A trade that fits the request."""
    fitting = VenueTrade(
        trade_id=trade_id,
        exchange_order_id=order_id,
        symbol="BTC/USDT",
        side="buy",
        quantity=Decimal("0.25"),
        price=Decimal(99),
        fee=Decimal(0),
        fee_currency="",
        executed_ms=to_ms(SENT_AT),
    )
    return replace(fitting, **changes)


def test_one_new_open_order_that_fits_is_ours() -> None:
    verdict = judge(REQUEST, BEFORE, After([order("1"), order("2")], [], BALANCES), PATIENT)
    assert (verdict.conclusion, verdict.candidates) == (ADOPT, (order("2"),))


def test_an_order_seen_only_through_its_trades_is_ours() -> None:
    trades = [trade("t2", "2"), trade("t3", "2")]
    verdict = judge(REQUEST, BEFORE, After([], trades, BALANCES), PATIENT)
    assert verdict.conclusion == ADOPT
    assert verdict.candidates[0].exchange_order_id == "2"
    assert verdict.candidates[0].filled == Decimal("0.5")
    assert verdict.candidates[0].trades == tuple(trades)


@pytest.mark.parametrize(
    "other",
    [
        {"side": "sell"},
        {"symbol": "ETH/USDT"},
        {"quantity": Decimal("0.4")},
        {"price": Decimal(101)},
        {"type": "market"},
        {"created_ms": to_ms(SENT_AT - timedelta(seconds=6))},
    ],
)
def test_an_order_that_differs_is_not_ours(other: dict[str, Any]) -> None:
    verdict = judge(REQUEST, BEFORE, After([order("2", **other)], [], BALANCES), PATIENT)
    assert (verdict.conclusion, verdict.candidates) == (ABSENT, ())


@pytest.mark.parametrize(
    "other",
    [
        {"trade_id": "t1"},
        {"side": "sell"},
        {"quantity": Decimal("0.6")},
        {"price": Decimal(101)},
        {"executed_ms": to_ms(SENT_AT - timedelta(seconds=6))},
        {"exchange_order_id": "1"},
    ],
)
def test_a_trade_that_differs_is_not_ours(other: dict[str, Any]) -> None:
    made = replace(trade("t2", "2"), **other)
    verdict = judge(REQUEST, BEFORE, After([], [made], BALANCES), PATIENT)
    assert (verdict.conclusion, verdict.candidates) == (ABSENT, ())


def test_an_order_that_another_row_has_is_not_ours() -> None:
    patience = replace(PATIENT, taken=frozenset({"2"}))
    after = After([order("2")], [], BALANCES)
    assert judge(REQUEST, BEFORE, after, patience).conclusion == ABSENT


def test_two_that_fit_are_for_a_person() -> None:
    after = After([order("2")], [trade("t2", "3")], BALANCES)
    for patience in (PATIENT, *HASTY):
        verdict = judge(REQUEST, BEFORE, after, patience)
        assert (verdict.conclusion, verdict.reason) == (ASK, "several_candidates")
        assert [each.exchange_order_id for each in verdict.candidates] == ["2", "3"]


@pytest.mark.parametrize("patience", HASTY)
def test_absence_takes_three_looks_and_a_minute(patience: Patience) -> None:
    assert judge(REQUEST, BEFORE, After([], [], BALANCES), patience).conclusion == WAIT


def test_nothing_found_but_money_moved_is_for_a_person() -> None:
    moved = {"USDT": VenueBalance("USDT", Decimal(950), Decimal(50))}
    verdict = judge(REQUEST, BEFORE, After([], [], moved), PATIENT)
    assert (verdict.conclusion, verdict.reason) == (ASK, "balance_moved")


def test_another_currency_may_move() -> None:
    moved = {**BALANCES, "ETH": VenueBalance("ETH", Decimal(1), Decimal(0))}
    assert judge(REQUEST, BEFORE, After([], [], moved), PATIENT).conclusion == ABSENT
