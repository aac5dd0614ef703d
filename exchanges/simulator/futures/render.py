"""Binance's JSON forms of USD-M orders, trades, positions and markets."""

from decimal import Decimal
from typing import Any

from exchanges.matching import EXPIRED, BookOrder, BookTrade, Market
from exchanges.matching.margin import MarginCore, Position, rules
from exchanges.matching.margin.tiers import TIERS, maintenance
from exchanges.matching.records import (
    LIMIT_MAKER,
    STOP_LOSS,
    STOP_LOSS_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    ZERO,
    plain,
)
from exchanges.simulator.render import number

ORDER_TYPES = [
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
]  # fmt: skip
CONDITIONAL = {
    "STOP_MARKET": STOP_LOSS, "STOP": STOP_LOSS_LIMIT, "TAKE_PROFIT_MARKET": TAKE_PROFIT,
    "TAKE_PROFIT": TAKE_PROFIT_LIMIT,
}  # fmt: skip
ORIGINAL = {inner: outer for outer, inner in CONDITIONAL.items()} | {LIMIT_MAKER: "LIMIT"}
EIGHT = Decimal("0.00000001")


def exchange_info(markets: dict[str, Market], now_ms: int) -> dict[str, Any]:
    """``GET /fapi/v1/exchangeInfo``."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}],
        "symbols": [_symbol(market) for market in markets.values()],
    }


def _symbol(market: Market) -> dict[str, Any]:
    lots = {
        "minQty": plain(market.min_quantity), "maxQty": plain(market.max_quantity),
        "stepSize": plain(market.step),
    }  # fmt: skip
    prices = {
        "minPrice": plain(market.min_price), "maxPrice": plain(market.max_price),
        "tickSize": plain(market.tick),
    }  # fmt: skip
    return {
        "symbol": market.id,
        "pair": market.id,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "baseAsset": market.base,
        "quoteAsset": market.quote,
        "marginAsset": market.quote,
        "pricePrecision": _places(market.tick),
        "quantityPrecision": _places(market.step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "triggerProtect": "0.0500",
        "liquidationFee": "0.000000",
        "marketTakeBound": "0.05",
        "filters": [
            {"filterType": "PRICE_FILTER", **prices},
            {"filterType": "LOT_SIZE", **lots},
            {"filterType": "MARKET_LOT_SIZE", **lots},
            {"filterType": "MIN_NOTIONAL", "notional": plain(market.min_notional)},
        ],
        "orderTypes": ORDER_TYPES,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def order(row: BookOrder, market: Market) -> dict[str, Any]:
    """An order as every route tells it."""
    average = row.quote_filled / row.filled if row.filled else ZERO
    return {
        "orderId": row.id,
        "symbol": market.id,
        "status": row.status,
        "clientOrderId": row.client_id,
        "price": number(row.price),
        "avgPrice": plain(average.quantize(EIGHT)),
        "origQty": plain(row.quantity),
        "executedQty": plain(row.filled),
        "cumQty": plain(row.filled),
        "cumQuote": plain(row.quote_filled),
        "timeInForce": time_in_force(row),
        "type": active_type(row),
        "reduceOnly": row.reduce_only,
        "closePosition": False,
        "side": row.side.upper(),
        "positionSide": row.position_side,
        "stopPrice": number(row.stop_price),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": ORIGINAL.get(row.type, row.type),
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": row.created_ms,
        "updateTime": row.updated_ms,
    }


def algo_order(row: BookOrder, market: Market) -> dict[str, Any]:
    """A conditional order; once triggered its order has the same number."""
    return {
        "algoId": row.id,
        "clientAlgoId": row.client_id,
        "algoType": "CONDITIONAL",
        "orderType": ORIGINAL[row.type],
        "symbol": market.id,
        "side": row.side.upper(),
        "positionSide": row.position_side,
        "timeInForce": row.time_in_force,
        "quantity": plain(row.quantity),
        "algoStatus": algo_status(row),
        "actualOrderId": "" if row.waits_for_trigger else str(row.id),
        "actualPrice": "0",
        "triggerPrice": number(row.stop_price),
        "price": number(row.price),
        "workingType": "CONTRACT_PRICE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": row.reduce_only,
        "createTime": row.created_ms,
        "updateTime": row.updated_ms,
        "triggerTime": 0 if row.waits_for_trigger else row.updated_ms,
        "goodTillDate": 0,
    }


def algo_status(row: BookOrder) -> str:
    """Where a conditional order stands: as placed or ended, else FINISHED or REJECTED."""
    if row.waits_for_trigger:
        return row.status
    return "REJECTED" if row.status == EXPIRED and not row.filled else "FINISHED"


def time_in_force(row: BookOrder) -> str:
    """Post-only is a time in force here."""
    return "GTX" if row.type == LIMIT_MAKER else row.time_in_force


def trade(row: BookTrade, market: Market, side: str) -> dict[str, Any]:
    """An own execution; ``side`` is the position's."""
    return {
        "symbol": market.id,
        "id": row.id,
        "orderId": row.order_id,
        "side": row.side.upper(),
        "price": plain(row.price),
        "qty": plain(row.quantity),
        "realizedPnl": plain(row.realized),
        "quoteQty": plain(row.value),
        "commission": plain(row.commission),
        "commissionAsset": row.commission_asset,
        "time": row.at_ms,
        "positionSide": side,
        "buyer": row.side == "buy",
        "maker": row.maker,
    }


def position(core: MarginCore, name: str, row: Position, market: Market) -> dict[str, Any]:
    """A position with what is asked in the account and in the risk routes, v2 and v3 alike."""
    account = core.margin[name]
    mark = core.prices[row.symbol]
    worth = row.quantity * mark
    profit = plain(row.unrealized(mark).quantize(EIGHT)) if row.quantity else "0.00000000"
    isolated = row.symbol in account.isolated
    margin = (rules.position_margin(account, row, mark)).quantize(EIGHT)
    price = rules.liquidation_price(account, row, core.wallet_of(name), core.prices)
    return {
        "symbol": market.id,
        "positionSide": row.side,
        "positionAmt": plain(row.quantity),
        "entryPrice": plain(row.entry),
        "breakEvenPrice": plain(row.entry),
        "markPrice": plain(mark),
        "unRealizedProfit": profit,
        "unrealizedProfit": profit,
        "liquidationPrice": plain(price.quantize(market.tick)),
        "leverage": str(account.leverage_of(row.symbol)),
        "maxNotionalValue": "1000000",
        "marginType": rules.mode(account, row.symbol),
        "isolated": isolated,
        "isolatedMargin": plain(_isolated_margin(row, mark)) if isolated else "0.00000000",
        "isolatedWallet": plain(row.isolated) if isolated else "0",
        "isAutoAddMargin": "false",
        "notional": plain(worth),
        "marginAsset": market.quote,
        "initialMargin": plain(margin),
        "positionInitialMargin": plain(margin),
        "openOrderInitialMargin": "0.00000000",
        "maintMargin": plain(maintenance(abs(worth)).quantize(EIGHT)),
        "adl": 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": row.updated_ms,
    }


def _isolated_margin(row: Position, mark: Decimal) -> Decimal:
    return (row.isolated + row.unrealized(mark)).quantize(EIGHT) if row.quantity else ZERO


def brackets(market: Market) -> dict[str, Any]:
    """``GET /fapi/v1/leverageBracket`` of one symbol."""
    return {
        "symbol": market.id,
        "brackets": [
            {
                "bracket": index,
                "initialLeverage": tier.leverage,
                "notionalCap": int(tier.cap),
                "notionalFloor": int(tier.floor),
                "maintMarginRatio": float(tier.rate),
                "cum": float(tier.deduction),
            }
            for index, tier in enumerate(TIERS, start=1)
        ],
    }


def active_type(row: BookOrder) -> str:
    """The type of the order in the book; a triggered one is a plain order."""
    if row.type in (STOP_LOSS, TAKE_PROFIT):
        return "MARKET"
    return "LIMIT" if row.type in (STOP_LOSS_LIMIT, TAKE_PROFIT_LIMIT, LIMIT_MAKER) else row.type


def _places(unit: Decimal) -> int:
    exponent = unit.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
