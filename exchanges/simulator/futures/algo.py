"""USD-M conditional orders, which have routes and numbers of their own until they are triggered."""

from dataclasses import replace
from typing import Any

from exchanges.matching import BookOrder, Refusal
from exchanges.matching.records import TRIGGERED_TYPES
from exchanges.simulator import errors, lookups
from exchanges.simulator.engine import Engine
from exchanges.simulator.futures import orders, render
from exchanges.simulator.requests import Ask


def place(engine: Engine, ask: Ask) -> Any:
    """``POST /fapi/v1/algoOrder``. ``closePosition`` stands for the position's present size."""
    market = ask.market(engine)
    kind = ask.text("type")
    if kind not in render.CONDITIONAL:
        raise errors.ApiError(-1116, "Invalid orderType.")
    if "clientAlgoId" in ask.params:
        ask.params["newClientOrderId"] = ask.params["clientAlgoId"]
    ticket = orders.read_ticket(engine, _sized(engine, ask), kind)
    if ask.flag("closePosition") and not engine.futures.margin[ask.account].hedged:
        ticket = replace(ticket, reduce_only=True)
    return render.algo_order(orders.submit(engine, ask, ticket), market)


def query(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/algoOrder``."""
    order = _find(engine, ask)
    return render.algo_order(order, engine.futures.markets[order.symbol])


def cancel(engine: Engine, ask: Ask) -> Any:
    """``DELETE /fapi/v1/algoOrder``; a triggered one can no longer be cancelled here."""
    try:
        order = _find(engine, ask)
        if not order.waits_for_trigger:
            raise Refusal("unknown_order")
        engine.cancel(order)
    except Refusal as refusal:
        raise errors.ApiError(-2011, "Unknown order sent.") from refusal
    return {
        "algoId": order.id, "clientAlgoId": order.client_id, "code": "200", "msg": "success",
    }  # fmt: skip


def cancel_all(engine: Engine, ask: Ask) -> Any:
    """``DELETE /fapi/v1/algoOpenOrders`` of one symbol."""
    for order in lookups.working(engine, ask, ask.market(engine).symbol):
        if order.waits_for_trigger:
            engine.cancel(order)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def open_orders(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/openAlgoOrders``, of one symbol or all."""
    symbol = ask.market(engine).symbol if "symbol" in ask.params else None
    markets = engine.futures.markets
    rows = lookups.seen_open(engine, ask, symbol)
    return [render.algo_order(o, markets[o.symbol]) for o in rows if o.waits_for_trigger]


def all_orders(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/allAlgoOrders`` of one symbol: in a stretch, or the newest."""
    market = ask.market(engine)
    start, end = lookups.stretch(ask, orders.WEEK_MS)
    rows = [
        o
        for o in engine.futures.accounts[ask.account].orders.values()
        if o.symbol == market.symbol
        and o.type in TRIGGERED_TYPES
        and start <= o.created_ms <= min(end, ask.horizon_ms)
    ]
    return [render.algo_order(o, market) for o in lookups.page(ask, rows, anchored=bool(start))]


def _find(engine: Engine, ask: Ask) -> BookOrder:
    client_id = ask.params.get("clientAlgoId", "") if ask.knows_client_ids else ""
    number = ask.integer("algoId", 0)
    if not number and not client_id:
        raise errors.missing("algoId")
    order = engine.futures.find(ask.account, order_id=number or None, client_id=client_id)
    if order.type not in TRIGGERED_TYPES:
        raise Refusal("unknown_order")
    return order


def _sized(engine: Engine, ask: Ask) -> Ask:
    if not ask.flag("closePosition"):
        return ask
    row = engine.futures.margin[ask.account]
    side = ask.params.get("positionSide", "BOTH")
    held = row.position(ask.market(engine).symbol, side).quantity
    return replace(ask, params={**ask.params, "quantity": format(abs(held), "f")})
