"""USD-M orders: placing, amending, cancelling and looking them up; own trades."""

import asyncio
import json
from typing import Any

from exchanges.matching import BookOrder, Refusal, Ticket
from exchanges.matching.records import BOTH, LIMIT_MAKER, TRIGGERED_TYPES
from exchanges.simulator import aftermath, errors, lookups, trading
from exchanges.simulator.engine import Engine
from exchanges.simulator.futures import render
from exchanges.simulator.hindsight import order_at
from exchanges.simulator.requests import Ask

WEEK_MS = 7 * lookups.DAY_MS


def place(engine: Engine, ask: Ask) -> Any:
    """``POST /fapi/v1/order``; conditional types belong to the algo route (-4120)."""
    market = ask.market(engine)
    kind = ask.text("type")
    if kind in render.CONDITIONAL or kind == "TRAILING_STOP_MARKET":
        raise errors.ApiError(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints "
            "instead.",
        )
    return render.order(submit(engine, ask, read_ticket(engine, ask, kind)), market)


def submit(engine: Engine, ask: Ask, ticket: Ticket) -> BookOrder:
    """Place a ticket; faults may follow it."""
    order, _ = engine.submit(ask.account, ticket, plan=ask.plan, entry=ask.entry)
    for fault in ask.aftermath:
        aftermath.follow(engine, fault, order)
    return order


def place_many(engine: Engine, ask: Ask) -> Any:
    """``POST /fapi/v1/batchOrders``: each order by itself, errors in their places."""
    answers = []
    for row in json.loads(ask.text("batchOrders")):
        params = {name: str(value) for name, value in row.items()}
        one = Ask(params, ask.now_ms, ask.clock_ms, key=ask.key, is_futures=True)
        one.entry = engine.arrived(
            api_key=ask.account,
            symbol=params.get("symbol", ""),
            client_id=params.get("newClientOrderId", ""),
        )
        try:
            answers.append(place(engine, one))
        except Refusal as refusal:
            answers.append(_refused(engine, one, errors.from_refusal(refusal, futures=True)))
        except errors.ApiError as error:
            answers.append(_refused(engine, one, error))
    return answers


def _refused(engine: Engine, ask: Ask, error: errors.ApiError) -> Any:
    engine.complete(ask.entry, "refused", code=error.code)
    return error.body()


def amend(engine: Engine, ask: Ask) -> Any:
    """``PUT /fapi/v1/order``: a new quantity and price for a limit order."""
    market = ask.market(engine)
    order = lookups.find(engine, ask)
    quantity, price = ask.number("quantity"), ask.number("price")
    if quantity is None or price is None:
        raise errors.missing("quantity" if quantity is None else "price")
    order, events = engine.futures.amend(ask.account, order.id, quantity, price, ask.now_ms)
    engine.commit(events)
    return render.order(order, market)


def query(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/order``; a conditional order is none before it is triggered."""
    market = ask.market(engine)
    order = lookups.find(engine, ask)
    seen = order_at(engine.futures.accounts[ask.account], order, ask.horizon_ms)
    if order.symbol != market.symbol or seen is None or seen.waits_for_trigger:
        raise Refusal("unknown_order")
    return render.order(seen, market)


def cancel(engine: Engine, ask: Ask) -> Any:
    """``DELETE /fapi/v1/order``."""
    market = ask.market(engine)
    try:
        order = lookups.find(engine, ask)
        if order.waits_for_trigger:
            raise Refusal("unknown_order")
        engine.cancel(order)
    except Refusal as refusal:
        raise errors.ApiError(-2011, "Unknown order sent.") from refusal
    return render.order(order, market)


def cancel_all(engine: Engine, ask: Ask) -> Any:
    """``DELETE /fapi/v1/allOpenOrders`` of one symbol."""
    market = ask.market(engine)
    _cancel_plain(engine, ask, market.symbol)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def countdown(engine: Engine, ask: Ask) -> Any:
    """``POST /fapi/v1/countdownCancelAll``: cancel a symbol's orders unless told again in time.

    The countdown does not outlive a restart.
    """
    market = ask.market(engine)
    wait = ask.integer("countdownTime", 0)
    running = engine.countdowns.pop((ask.account, market.symbol), None)
    if running is not None:
        running.cancel()
    if wait:
        engine.countdowns[ask.account, market.symbol] = asyncio.get_running_loop().call_later(
            wait / 1000, _run_out, engine, ask, market.symbol
        )
    return {"symbol": market.id, "countdownTime": str(wait)}


def open_orders(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/openOrders``, of one symbol or all."""
    symbol = ask.market(engine).symbol if "symbol" in ask.params else None
    markets = engine.futures.markets
    rows = lookups.seen_open(engine, ask, symbol)
    return [render.order(o, markets[o.symbol]) for o in rows if not o.waits_for_trigger]


def all_orders(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/allOrders``: from an id, in a stretch of at most a week, or the newest."""
    market = ask.market(engine)
    start, end = lookups.stretch(ask, WEEK_MS)
    least = ask.integer("orderId", 0)
    horizon = min(end, ask.horizon_ms)
    rows = [
        o
        for o in engine.futures.accounts[ask.account].orders.values()
        if o.symbol == market.symbol
        and not o.waits_for_trigger
        and o.id >= least
        and start <= o.created_ms <= horizon
    ]
    page = lookups.page(ask, rows, anchored=bool(least or start))
    return [render.order(o, market) for o in lookups.as_seen(engine, ask, page)]


def own_trades(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/userTrades``: from an id, of an order, in at most a week, or the newest."""
    market = ask.market(engine)
    start, end = lookups.stretch(ask, WEEK_MS)
    from_id = ask.integer("fromId", -1)
    order_id = ask.integer("orderId", 0)
    horizon = min(end, ask.horizon_ms)
    account = engine.futures.accounts[ask.account]
    rows = [
        t
        for t in account.trades.get(market.symbol, [])
        if t.id >= from_id and start <= t.at_ms <= horizon and order_id in (0, t.order_id)
    ]
    page = lookups.page(ask, rows, anchored=from_id >= 0 or bool(start))
    return [render.trade(t, market, _side(account.orders.get(t.order_id))) for t in page]


def read_ticket(engine: Engine, ask: Ask, kind: str) -> Ticket:
    """The ticket a request describes; ``kind`` is Binance's order type."""
    rule = ask.params.get("timeInForce", "GTC")
    inner = render.CONDITIONAL.get(kind, kind)
    if rule == "GTX":
        rule, inner = "GTC", LIMIT_MAKER
    quantity = ask.number("quantity")
    if quantity is None:
        raise errors.missing("quantity")
    return Ticket(
        symbol=ask.market(engine).symbol,
        side=ask.text("side").lower(),
        type=inner,
        quantity=quantity,
        client_id=trading.new_client_id(engine, ask),
        price=ask.number("price"),
        stop_price=ask.number("triggerPrice") if inner in TRIGGERED_TYPES else None,
        time_in_force=rule,
        position_side=ask.params.get("positionSide", BOTH),
        reduce_only=ask.flag("reduceOnly"),
    )


def _cancel_plain(engine: Engine, ask: Ask, symbol: str) -> None:
    for order in lookups.working(engine, ask, symbol):
        if not order.waits_for_trigger:
            engine.cancel(order)


def _run_out(engine: Engine, ask: Ask, symbol: str) -> None:
    """Nobody told the countdown again: cancel, unless the exchange has closed meanwhile."""
    del engine.countdowns[ask.account, symbol]
    if engine.is_open:
        _cancel_plain(engine, ask, symbol)


def _side(order: BookOrder | None) -> str:
    return order.position_side if order else BOTH
