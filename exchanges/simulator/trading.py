"""Signed answers: placing, cancelling and looking up orders, own trades, the account."""

import re
from typing import Any

from exchanges.matching import Refusal, Ticket
from exchanges.simulator import aftermath, errors, lookups, render
from exchanges.simulator.engine import Engine
from exchanges.simulator.hindsight import order_at
from exchanges.simulator.requests import Ask

CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_.:/]{1,36}")


def place(engine: Engine, ask: Ask) -> Any:
    """``POST /api/v3/order``."""
    market = ask.market(engine)
    ticket = read_ticket(engine, ask)
    order, events = engine.submit(ask.account, ticket, plan=ask.plan, entry=ask.entry)
    for fault in ask.aftermath:
        aftermath.follow(engine, fault, order)
    default = "FULL" if ticket.type in ("MARKET", "LIMIT") else "ACK"
    return render.placed(order, events, market, ask.params.get("newOrderRespType", default))


def test_order(engine: Engine, ask: Ask) -> Any:
    """``POST /api/v3/order/test``: every check and no order."""
    engine.core.check(ask.account, read_ticket(engine, ask), ask.now_ms)
    return {}


def cancel(engine: Engine, ask: Ask) -> Any:
    """``DELETE /api/v3/order``."""
    market = ask.market(engine)
    try:
        order = lookups.find(engine, ask)
        engine.cancel(order)
    except Refusal as refusal:
        raise errors.ApiError(-2011, "Unknown order sent.") from refusal
    return {**render.order(order, market), "origClientOrderId": order.client_id}


def cancel_all(engine: Engine, ask: Ask) -> Any:
    """``DELETE /api/v3/openOrders`` of one symbol."""
    market = ask.market(engine)
    rows = lookups.working(engine, ask, market.symbol)
    if not rows:
        raise errors.ApiError(-2011, "Unknown order sent.")
    for order in rows:
        engine.cancel(order)
    return [{**render.order(o, market), "origClientOrderId": o.client_id} for o in rows]


def query(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/order``."""
    market = ask.market(engine)
    order = lookups.find(engine, ask)
    seen = order_at(engine.core.accounts[ask.account], order, ask.horizon_ms)
    if order.symbol != market.symbol or seen is None:
        raise Refusal("unknown_order")
    return render.order(seen, market)


def open_orders(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/openOrders``, of one symbol or all."""
    symbol = ask.market(engine).symbol if "symbol" in ask.params else None
    markets = engine.core.markets
    return [render.order(o, markets[o.symbol]) for o in lookups.seen_open(engine, ask, symbol)]


def all_orders(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/allOrders``: from an id, in a stretch of at most a day, or the newest."""
    market = ask.market(engine)
    start, end = lookups.stretch(ask, lookups.DAY_MS)
    least = ask.integer("orderId", 0)
    horizon = min(end, ask.horizon_ms)
    rows = [
        o
        for o in engine.core.accounts[ask.account].orders.values()
        if o.symbol == market.symbol and o.id >= least and start <= o.created_ms <= horizon
    ]
    page = lookups.page(ask, rows, anchored=bool(least or start))
    return [render.order(o, market) for o in lookups.as_seen(engine, ask, page)]


def own_trades(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/myTrades``: from an id, of an order, in at most a day, or the newest."""
    market = ask.market(engine)
    start, end = lookups.stretch(ask, lookups.DAY_MS)
    from_id = ask.integer("fromId", -1)
    order_id = ask.integer("orderId", 0)
    if from_id >= 0 and (start or "endTime" in ask.params):
        raise errors.ApiError(-1128, "Combination of optional parameters invalid.")
    horizon = min(end, ask.horizon_ms)
    rows = [
        t
        for t in engine.core.accounts[ask.account].trades.get(market.symbol, [])
        if t.id >= from_id and start <= t.at_ms <= horizon and order_id in (0, t.order_id)
    ]
    page = lookups.page(ask, rows, anchored=from_id >= 0 or bool(start))
    return [render.trade(t, market) for t in page]


def account(engine: Engine, ask: Ask) -> Any:
    """``GET /api/v3/account``."""
    row = engine.core.accounts[ask.account]
    if ask.blind_ms:
        row = engine.history.account_at(row, ask.horizon_ms)
    answer = render.account(row, engine.core.fees.rate, ask.now_ms)
    if ask.key is not None and ask.key.uid:
        answer["uid"] = ask.key.uid
    if ask.params.get("omitZeroBalances") == "true":
        held = {c for c, wallet in row.wallets.items() if wallet.free or wallet.used}
        answer["balances"] = [b for b in answer["balances"] if b["asset"] in held]
    return answer


def key_restrictions(engine: Engine, ask: Ask) -> Any:
    """``GET /sapi/v1/account/apiRestrictions``: what the key may do."""
    return {
        "ipRestrict": False,
        "createTime": engine.anchor_ms,
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableWithdrawals": bool(ask.key and ask.key.withdrawals),
        "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "enableVanillaOptions": False,
    }


def new_client_id(engine: Engine, ask: Ask) -> str:
    """The client id of a new order: the one sent, or one of the exchange's own."""
    sent = ask.params.get("newClientOrderId", "") if ask.knows_client_ids else ""
    if sent and not CLIENT_ID.fullmatch(sent):
        raise errors.ApiError(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
    return sent or f"sim-{engine.log_number}-{ask.now_ms}"


def read_ticket(engine: Engine, ask: Ask) -> Ticket:
    client_id = new_client_id(engine, ask)
    kind = ask.text("type")
    quote_quantity = ask.number("quoteOrderQty") if kind == "MARKET" else None
    quantity = ask.number("quantity")
    if quantity is None:
        if quote_quantity is None:
            raise errors.missing("quantity")
        quantity = quote_quantity
    return Ticket(
        symbol=ask.market(engine).symbol,
        side=ask.text("side").lower(),
        type=kind,
        quantity=quantity,
        client_id=client_id,
        price=ask.number("price"),
        stop_price=ask.number("stopPrice"),
        time_in_force=ask.params.get("timeInForce", "GTC"),
        quote_quantity=quote_quantity,
    )
