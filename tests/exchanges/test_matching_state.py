"""The matching core's state: conservation of money under any run, and rebuilding from JSON."""

import json
from contextlib import suppress
from decimal import Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.matching import DEFAULT_MARKETS, FillPlan, MatchingCore, Refusal, Ticket
from exchanges.matching.records import EXACT, TRIGGERED_TYPES

SYMBOLS = ("BTC/USDT", "DAI/USDT")
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("submit"),
            st.sampled_from(("a", "b")),
            st.sampled_from(SYMBOLS),
            st.sampled_from(("buy", "sell")),
            st.sampled_from(("MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "TAKE_PROFIT_LIMIT")),
            st.integers(1, 400),
            st.integers(-200, 200),
            st.integers(1, 4),
            st.booleans(),
        ),
        st.tuples(st.just("tick"), st.sampled_from(SYMBOLS), st.integers(-300, 300)),
        st.tuples(st.just("cancel"), st.sampled_from(("a", "b")), st.integers(1, 12)),
        st.tuples(st.just("release")),
    ),
    max_size=40,
)
BASE = {"BTC/USDT": Decimal(1000), "DAI/USDT": Decimal(1)}
UNIT = {"BTC/USDT": Decimal(1), "DAI/USDT": Decimal("0.001")}
SIZE = {"BTC/USDT": Decimal("0.00717"), "DAI/USDT": Decimal("1.234567890123456789")}


def new_core() -> MatchingCore:
    core = MatchingCore(DEFAULT_MARKETS)
    for name in ("a", "b"):
        core.open_account(name, {"USDT": Decimal(5000), "BTC": Decimal(2), "DAI": Decimal(900)})
    for symbol in SYMBOLS:
        core.tick(symbol, BASE[symbol], 0)
    return core


def run(core: MatchingCore, steps: list[tuple]) -> list[str]:
    """Do the steps and return the drained changes as JSON lines."""
    lines = [json.dumps(core.drain())]
    for at_ms, step in enumerate(steps, start=1):
        with suppress(Refusal):
            act(core, step, at_ms)
        changes = core.drain()
        if changes:
            lines.append(json.dumps(changes))
    return lines


def act(core: MatchingCore, step: tuple, at_ms: int) -> None:
    if step[0] == "tick":
        core.tick(step[1], BASE[step[1]] + step[2] * UNIT[step[1]], at_ms)
    elif step[0] == "cancel":
        core.cancel(step[1], step[2], at_ms)
    elif step[0] == "release":
        core.release(at_ms)
    else:
        _, name, symbol, side, kind, size, offset, parts, slow = step
        price = BASE[symbol] + offset * UNIT[symbol]
        request = Ticket(
            symbol, side, kind, size * SIZE[symbol], f"c{at_ms}", price=price,
            stop_price=price if kind in TRIGGERED_TYPES else None,
        )  # fmt: skip
        plan = FillPlan(parts=parts, over_ticks=slow, delay_ms=3 if offset % 7 == 0 else 0)
        core.submit(name, request, at_ms, plan=plan)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_run_creates_or_loses_money(steps: list[tuple]) -> None:
    core = new_core()
    run(core, steps)
    with localcontext(EXACT):
        for account in core.accounts.values():
            owed = dict(account.initial)
            for trade in (t for rows in account.trades.values() for t in rows):
                base, quote = trade.symbol.split("/")
                sign = 1 if trade.side == "buy" else -1
                owed[base] += sign * trade.quantity
                owed[quote] -= sign * trade.price * trade.quantity
                owed[trade.commission_asset] -= trade.commission
            for currency, amount in owed.items():
                held = account.wallets[currency]
                assert held.free + held.used == amount
                assert held.free >= 0
                locked = sum(
                    o.locked
                    for o in account.orders.values()
                    if o.symbol.split("/")[o.side == "buy"] == currency
                )
                assert held.used == locked
            for order in account.orders.values():
                assert order.filled == sum(
                    t.quantity
                    for t in account.trades.get(order.symbol, [])
                    if t.order_id == order.id
                )
                assert order.is_open or order.locked == 0
                assert (order.status == "FILLED") == (order.filled == order.quantity)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 40))
def test_a_snapshot_and_the_changes_after_it_rebuild_the_same_core(
    steps: list[tuple], cut: int
) -> None:
    core = new_core()
    run(core, steps[:cut])
    snapshot = json.dumps(core.snapshot())
    lines = run(core, steps[cut:])
    rebuilt = MatchingCore(DEFAULT_MARKETS)
    for line in [snapshot, *lines, *lines]:
        if line != "null":
            rebuilt.apply(json.loads(line))
    rebuilt.prices = dict(core.prices)
    assert sorted_state(rebuilt) == sorted_state(core)


@given(STEPS)
@settings(max_examples=30, deadline=None)
def test_the_same_steps_give_the_same_core(steps: list[tuple]) -> None:
    first, second = new_core(), new_core()
    assert run(first, steps) == run(second, steps)
    assert first.snapshot() == second.snapshot()


def sorted_state(core: MatchingCore) -> dict:
    """The snapshot without the order of its lists, and without what an empty wallet leaves."""
    state = core.snapshot()
    for name in ("orders", "trades", "wallets"):
        state[name] = sorted(state[name], key=json.dumps)
    state["open"] = {symbol: sorted(book) for symbol, book in core.open.items() if book}
    return state


def test_forgetting_keeps_open_orders_and_the_newest_of_the_rest() -> None:
    core = new_core()
    resting = Ticket("BTC/USDT", "buy", "LIMIT", Decimal("0.01"), "rest", price=Decimal(900))
    core.submit("a", resting, 1)
    for number in range(5):
        core.submit("a", Ticket("BTC/USDT", "buy", "MARKET", Decimal("0.01"), f"m{number}"), 2)
    core.forget("a", keep=2)
    account = core.accounts["a"]
    assert sorted(account.by_client) == ["m3", "m4", "rest"]
    assert [trade.id for trade in account.trades["BTC/USDT"]] == [4, 5]
