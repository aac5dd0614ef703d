"""The USD-M account: wallet, positions, settings, incomes and the key of its stream."""

import hashlib
from typing import Any

from exchanges.matching import Market
from exchanges.matching.margin import Position, rules
from exchanges.matching.records import ZERO, plain
from exchanges.simulator import errors, lookups
from exchanges.simulator.engine import Engine
from exchanges.simulator.futures.render import EIGHT, brackets, position
from exchanges.simulator.requests import Ask

SUCCESS = {"code": 200, "msg": "success"}


def account(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v2/account`` and ``/fapi/v3/account``."""
    asset = _asset(engine, ask)
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": False,
        "multiAssetsMargin": False,
        "updateTime": 0,
        "totalInitialMargin": asset["initialMargin"],
        "totalMaintMargin": asset["maintMargin"],
        "totalWalletBalance": asset["walletBalance"],
        "totalUnrealizedProfit": asset["unrealizedProfit"],
        "totalMarginBalance": asset["marginBalance"],
        "totalPositionInitialMargin": asset["positionInitialMargin"],
        "totalOpenOrderInitialMargin": asset["openOrderInitialMargin"],
        "totalCrossWalletBalance": asset["crossWalletBalance"],
        "totalCrossUnPnl": asset["crossUnPnl"],
        "availableBalance": asset["availableBalance"],
        "maxWithdrawAmount": asset["maxWithdrawAmount"],
        "assets": [asset],
        "positions": _positions(engine, ask, list(engine.futures.markets.values())),
    }


def balance(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v2/balance`` and ``/fapi/v3/balance``."""
    asset = _asset(engine, ask)
    return [{
        "accountAlias": "sim", "asset": asset["asset"], "balance": asset["walletBalance"],
        "crossWalletBalance": asset["crossWalletBalance"], "crossUnPnl": asset["crossUnPnl"],
        "availableBalance": asset["availableBalance"],
        "maxWithdrawAmount": asset["maxWithdrawAmount"], "marginAvailable": True,
        "updateTime": ask.now_ms,
    }]  # fmt: skip


def position_risk(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v2/positionRisk`` and v3, of one symbol or all; v3 shows no flat positions."""
    markets = engine.futures.markets
    wanted = [ask.market(engine)] if "symbol" in ask.params else list(markets.values())
    return _positions(engine, ask, wanted)


def position_risk_held(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v3/positionRisk``: the positions that are not flat."""
    return [p for p in position_risk(engine, ask) if float(p["positionAmt"])]


def symbol_config(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/symbolConfig``: leverage and margin type, of one symbol or all."""
    row = engine.futures.margin[ask.account]
    markets = engine.futures.markets
    wanted = [ask.market(engine)] if "symbol" in ask.params else list(markets.values())
    return [
        {
            "symbol": market.id,
            "marginType": "ISOLATED" if market.symbol in row.isolated else "CROSSED",
            "isAutoAddMargin": False,
            "leverage": row.leverage_of(market.symbol),
            "maxNotionalValue": "1000000",
        }
        for market in wanted
    ]


def account_config(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/accountConfig``."""
    return {
        "feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": False,
        "dualSidePosition": engine.futures.margin[ask.account].hedged,
        "multiAssetsMargin": False, "updateTime": 0, "tradeGroupId": -1,
    }  # fmt: skip


def commission_rate(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/commissionRate``."""
    rate = plain(engine.futures.fees.rate)
    return {
        "symbol": ask.market(engine).id, "makerCommissionRate": rate, "takerCommissionRate": rate,
    }  # fmt: skip


def set_leverage(engine: Engine, ask: Ask) -> Any:
    """``POST /fapi/v1/leverage``."""
    market = ask.market(engine)
    leverage = ask.integer("leverage", 0)
    engine.futures.set_leverage(ask.account, market.symbol, leverage)
    engine.commit()
    return {"leverage": leverage, "maxNotionalValue": "1000000", "symbol": market.id}


def set_margin_type(engine: Engine, ask: Ask) -> Any:
    """``POST /fapi/v1/marginType``."""
    mode = ask.text("marginType")
    if mode not in ("CROSSED", "ISOLATED"):
        raise errors.ApiError(-4049, "Invalid margin type.")
    engine.futures.set_margin_mode(ask.account, ask.market(engine).symbol, mode)
    engine.commit()
    return SUCCESS


def position_mode(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/positionSide/dual``."""
    return {"dualSidePosition": engine.futures.margin[ask.account].hedged}


def set_position_mode(engine: Engine, ask: Ask) -> Any:
    """``POST /fapi/v1/positionSide/dual``."""
    ask.text("dualSidePosition")
    engine.futures.set_hedged(ask.account, ask.flag("dualSidePosition"))
    engine.commit()
    return SUCCESS


def leverage_brackets(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/leverageBracket``, of one symbol or all."""
    if "symbol" in ask.params:
        return brackets(ask.market(engine))
    return [brackets(market) for market in engine.futures.markets.values()]


def incomes(engine: Engine, ask: Ask) -> Any:
    """``GET /fapi/v1/income``: in a stretch of at most a week, or the newest."""
    start, end = lookups.stretch(ask, 7 * lookups.DAY_MS)
    symbol = ask.market(engine).symbol if "symbol" in ask.params else None
    kind = ask.params.get("incomeType")
    markets = engine.futures.markets
    rows = [
        i
        for i in engine.futures.margin[ask.account].incomes
        if start <= i.at_ms <= end and symbol in (None, i.symbol) and kind in (None, i.kind)
    ]
    return [
        {
            "symbol": markets[i.symbol].id if i.symbol else "",
            "incomeType": i.kind,
            "income": plain(i.amount),
            "asset": i.asset,
            "info": str(i.trade_id or ""),
            "time": i.at_ms,
            "tranId": i.id,
            "tradeId": str(i.trade_id or ""),
        }
        for i in lookups.page(ask, rows, anchored=bool(start))
    ]


def listen_key(engine: Engine, ask: Ask) -> Any:
    """``POST`` and ``PUT /fapi/v1/listenKey``: the key of the account's user stream."""
    return {"listenKey": listen_key_of(ask.account)}


def end_listen_key(engine: Engine, ask: Ask) -> Any:
    """``DELETE /fapi/v1/listenKey``."""
    return {}


def listen_key_of(name: str) -> str:
    """The one listen key of an account; it stays the same, so streams outlive a restart."""
    return hashlib.sha256(f"listen:{name}".encode()).hexdigest()


def _positions(engine: Engine, ask: Ask, markets: list[Market]) -> list[dict[str, Any]]:
    core = engine.futures
    row = core.margin[ask.account]
    return [
        position(core, ask.account, _look(row.positions, market.symbol, side), market)
        for market in markets
        for side in row.sides()
    ]


def _look(positions: dict[tuple[str, str], Position], symbol: str, side: str) -> Position:
    return positions.get((symbol, side)) or Position(symbol, side)


def _asset(engine: Engine, ask: Ask) -> dict[str, Any]:
    core, name = engine.futures, ask.account
    row, wallet = core.margin[name], core.wallet_of(name)
    prices = core.prices
    held = row.held()
    profit = sum((p.unrealized(prices[p.symbol]) for p in held), ZERO)
    own = sum((rules.position_margin(row, p, prices[p.symbol]) for p in held), ZERO)
    taken = sum(rules.initial_margin(row, core.orders_of(name), prices).values(), ZERO)
    need = sum((rules.maintenance(abs(p.quantity) * prices[p.symbol]) for p in held), ZERO)
    free = max(core.available(name), ZERO)
    return {
        "asset": "USDT",
        "walletBalance": _text(wallet),
        "unrealizedProfit": _text(profit),
        "marginBalance": _text(wallet + profit),
        "maintMargin": _text(need),
        "initialMargin": _text(taken),
        "positionInitialMargin": _text(own),
        "openOrderInitialMargin": _text(taken - own),
        "crossWalletBalance": _text(rules.cross_wallet(row, wallet)),
        "crossUnPnl": _text(rules.cross_unrealized(row, prices)),
        "availableBalance": _text(free),
        "maxWithdrawAmount": _text(free),
        "marginAvailable": True,
        "updateTime": ask.now_ms,
    }


def _text(amount: Any) -> str:
    return plain(amount.quantize(EIGHT))
