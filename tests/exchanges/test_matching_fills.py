"""Fills of the matching core: prices, parts, fees, triggers and what they do to the wallets."""

from decimal import Decimal
from typing import Any

import pytest

from exchanges.matching import (
    DEFAULT_MARKETS,
    BookOrder,
    FeeRule,
    FillPlan,
    MatchingCore,
    Refusal,
    Ticket,
)

SYMBOL = "BTC/USDT"


def core_at(price: str = "50000", **kwargs: Any) -> MatchingCore:
    core = MatchingCore(DEFAULT_MARKETS, **kwargs)
    core.open_account("a", {"USDT": Decimal(10_000), "BTC": Decimal(1)})
    core.tick(SYMBOL, Decimal(price), 0)
    return core


def ticket(side: str = "buy", kind: str = "MARKET", quantity: str = "0.1", **kwargs: Any) -> Ticket:
    for name in ("price", "stop_price", "quote_quantity"):
        if name in kwargs:
            kwargs[name] = Decimal(kwargs[name])
    kwargs.setdefault("client_id", "c")
    return Ticket(SYMBOL, side, kind, Decimal(quantity), **kwargs)


def place(core: MatchingCore, request: Ticket, at_ms: int = 1, **plan: Any) -> BookOrder:
    return core.submit("a", request, at_ms, plan=FillPlan(**plan))[0]


def wallet(core: MatchingCore, currency: str) -> tuple[Decimal, Decimal]:
    held = core.accounts["a"].wallets[currency]
    return held.free, held.used


def test_a_buy_takes_its_commission_in_the_base_coin_cut_to_eight_places() -> None:
    core = core_at()
    place(core, ticket(quantity="0.00011"))
    trade = core.accounts["a"].trades[SYMBOL][0]
    assert (trade.commission, trade.commission_asset) == (Decimal("0.00000011"), "BTC")
    assert wallet(core, "BTC") == (Decimal("1.00010989"), 0)
    assert wallet(core, "USDT") == (Decimal("9994.5"), 0)


def test_the_commission_can_always_be_taken_in_the_quote_coin() -> None:
    core = core_at(fees=FeeRule(Decimal("0.002"), "quote"))
    place(core, ticket(quantity="0.1"))
    assert wallet(core, "BTC") == (Decimal("1.1"), 0)
    assert wallet(core, "USDT") == (Decimal(4990), 0)


def test_a_marketable_limit_order_pays_the_market_and_gets_the_rest_back() -> None:
    core = core_at()
    order = place(core, ticket(kind="LIMIT", price="60000"))
    assert (order.status, order.quote_filled, order.locked) == ("FILLED", 5000, 0)
    assert wallet(core, "USDT") == (5000, 0)


def test_a_resting_order_locks_its_worst_price_and_fills_at_its_limit() -> None:
    core = core_at()
    order = place(core, ticket(kind="LIMIT", price="49000"))
    assert wallet(core, "USDT") == (5100, 4900)
    events = core.tick(SYMBOL, Decimal(48000), 2)
    assert [(e.kind, e.trade.price, e.trade.maker) for e in events if e.trade] == [
        ("TRADE", 49000, True)
    ]
    assert (order.status, wallet(core, "USDT")) == ("FILLED", (5100, 0))


def test_the_best_price_fills_first_and_then_the_oldest() -> None:
    core = core_at()
    for name, price in (("low", 48000), ("old", 49000), ("new", 49000)):
        place(core, ticket(kind="LIMIT", quantity="0.01", price=price, client_id=name))
    events = core.tick(SYMBOL, Decimal(47000), 2)
    assert [event.order.client_id for event in events] == ["old", "new", "low"]
    assert [event.trade.id for event in events if event.trade] == [1, 2, 3]


def test_parts_are_whole_steps_and_add_up() -> None:
    core = core_at()
    _, events = core.submit("a", ticket(quantity="0.00010"), 1, plan=FillPlan(parts=3))
    quantities = [event.trade.quantity for event in events if event.trade]
    assert quantities == [Decimal("0.00003"), Decimal("0.00003"), Decimal("0.00004")]
    assert [event.status for event in events] == [
        "NEW", "PARTIALLY_FILLED", "PARTIALLY_FILLED", "FILLED",
    ]  # fmt: skip


def test_an_order_of_one_step_fills_whole_whatever_the_parts() -> None:
    core = core_at("500000")
    order = place(core, ticket(quantity="0.00001"), parts=7)
    assert (order.status, len(core.accounts["a"].trades[SYMBOL])) == ("FILLED", 1)


def test_parts_over_ticks_take_one_price_each() -> None:
    core = core_at()
    order = place(core, ticket(quantity="0.03"), parts=3, over_ticks=True)
    for price in (50100, 50200):
        assert order.status == "PARTIALLY_FILLED"
        core.tick(SYMBOL, Decimal(price), 2)
    assert [t.price for t in core.accounts["a"].trades[SYMBOL]] == [50000, 50100, 50200]
    assert (order.status, wallet(core, "USDT")) == ("FILLED", (8497, 0))


def test_a_market_buy_that_becomes_too_dear_expires_with_what_it_got() -> None:
    core = core_at()
    order = place(core, ticket(quantity="0.2"), parts=2, over_ticks=True)
    core.tick(SYMBOL, Decimal(60000), 2)
    assert (order.status, order.filled) == ("EXPIRED", Decimal("0.1"))
    assert wallet(core, "USDT") == (5000, 0)


def test_an_immediate_order_keeps_its_part_and_expires() -> None:
    core = core_at()
    order = place(
        core, ticket(kind="LIMIT", price="50000", time_in_force="IOC"), parts=2, over_ticks=True
    )
    assert (order.status, order.filled) == ("EXPIRED", Decimal("0.05"))
    assert wallet(core, "USDT") == (7500, 0)


def test_fill_or_kill_fills_whole_or_not_at_all() -> None:
    core = core_at()
    request = ticket(kind="LIMIT", price="50000", time_in_force="FOK")
    assert place(core, request, parts=2, over_ticks=True).filled == 0
    assert place(core, request, parts=2).filled == Decimal("0.1")


@pytest.mark.parametrize(
    ("kind", "side", "stop", "quiet", "price"),
    [
        ("STOP_LOSS", "sell", "49000", "49001", "48999"),
        ("STOP_LOSS", "buy", "51000", "50999", "51001"),
        ("TAKE_PROFIT", "sell", "51000", "50999", "51001"),
        ("TAKE_PROFIT", "buy", "49000", "49001", "48999"),
    ],
)
def test_a_trigger_waits_for_its_side_of_the_price(
    kind: str, side: str, stop: str, quiet: str, price: str
) -> None:
    core = core_at()
    order = place(core, ticket(side, kind, stop_price=stop))
    assert core.tick(SYMBOL, Decimal(quiet), 2) == []
    core.tick(SYMBOL, Decimal(price), 3)
    assert (order.status, order.quote_filled) == ("FILLED", Decimal(price) / 10)


def test_a_triggered_limit_order_rests_when_the_price_has_run_past_it() -> None:
    core = core_at()
    order = place(core, ticket("sell", "STOP_LOSS_LIMIT", stop_price="49000", price="48900"))
    core.tick(SYMBOL, Decimal(48000), 2)
    assert (order.status, order.resting) == ("NEW", True)
    core.tick(SYMBOL, Decimal(48950), 3)
    assert (order.status, order.quote_filled) == ("FILLED", 4890)


def test_a_delayed_order_fills_at_the_price_of_its_release() -> None:
    core = core_at()
    order = place(core, ticket(quantity="0.01"), at_ms=1000, delay_ms=500)
    assert core.tick(SYMBOL, Decimal(50100), 1400) == []
    assert core.release(1499) == []
    assert [event.kind for event in core.release(1500)] == ["TRADE"]
    assert (order.status, order.quote_filled) == ("FILLED", 501)


def test_a_quote_quantity_buys_whole_steps_only() -> None:
    core = core_at("30000")
    order = place(core, ticket(quantity="100", quote_quantity="100"))
    assert order.quantity == Decimal("0.00333")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ticket(quantity="0.000001"), "lot_size"),
        (ticket(quantity="0.00001"), "notional"),
        (ticket(kind="LIMIT", price="50000.001"), "price_filter"),
        (ticket(kind="LIMIT"), "missing_price"),
        (ticket(kind="STOP_LOSS"), "missing_stop_price"),
        (ticket(kind="LIMIT_MAKER", price="50000"), "would_match"),
        (ticket("sell", "STOP_LOSS", stop_price="50000"), "would_trigger"),
        (ticket(quantity="1"), "insufficient_funds"),
        (ticket("sell", quantity="1.1"), "insufficient_funds"),
        (ticket("hold"), "bad_side"),
        (ticket(kind="WISH"), "bad_type"),
        (ticket(time_in_force="DAY"), "bad_time_in_force"),
        (Ticket("XXX/USDT", "buy", "MARKET", Decimal(1), "c"), "unknown_symbol"),
    ],
)
def test_a_refusal_names_its_reason_and_moves_nothing(request_: Ticket, code: str) -> None:
    core = core_at()
    core.drain()
    with pytest.raises(Refusal) as refusal:
        core.submit("a", request_, 1)
    assert refusal.value.code == code
    assert core.drain() is None
    assert wallet(core, "USDT") == (10_000, 0)
    assert core.next_order_id == 1


def test_a_client_id_may_be_used_again_once_its_order_is_done() -> None:
    core = core_at()
    first = place(core, ticket(kind="LIMIT", price="49000"))
    with pytest.raises(Refusal, match="duplicate_client_id"):
        place(core, ticket())
    core.cancel("a", first.id, 2)
    second = place(core, ticket())
    assert core.find("a", client_id="c") is second
    assert core.find("a", order_id=first.id).status == "CANCELED"
