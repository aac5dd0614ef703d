"""Binance's JSON forms of orders, trades, accounts and markets."""

from decimal import Decimal
from typing import Any

from exchanges.matching import BookOrder, BookTrade, Event, Market
from exchanges.matching.records import Account, plain

ORDER_TYPES = [
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
]  # fmt: skip


def number(value: Decimal | None) -> str:
    """A number as text; an absent one is 0."""
    return "0.00000000" if value is None else format(value, "f")


def exchange_info(markets: dict[str, Market], now_ms: int) -> dict[str, Any]:
    """``GET /api/v3/exchangeInfo``."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000,
            },
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(market) for market in markets.values()],
    }


def _filters(market: Market) -> list[dict[str, Any]]:
    lots = {
        "minQty": plain(market.min_quantity),
        "maxQty": plain(market.max_quantity),
        "stepSize": plain(market.step),
    }
    prices = {
        "minPrice": plain(market.min_price),
        "maxPrice": plain(market.max_price),
        "tickSize": plain(market.tick),
    }
    filters: list[dict[str, Any]] = [
        {"filterType": "PRICE_FILTER", **prices},
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
    ]
    if market.min_notional:
        filters.append({
            "filterType": "NOTIONAL", "minNotional": plain(market.min_notional),
            "applyMinToMarket": True, "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False, "avgPriceMins": 0,
        })  # fmt: skip
    return filters


def _symbol(market: Market) -> dict[str, Any]:
    digits = max(8, market.fee_decimals)
    return {
        "symbol": market.id,
        "status": "TRADING",
        "baseAsset": market.base,
        "baseAssetPrecision": digits,
        "quoteAsset": market.quote,
        "quotePrecision": digits,
        "quoteAssetPrecision": digits,
        "baseCommissionPrecision": digits,
        "quoteCommissionPrecision": digits,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(market),
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def order(row: BookOrder, market: Market) -> dict[str, Any]:
    """An order as queries tell it."""
    return {
        "symbol": market.id,
        "orderId": row.id,
        "orderListId": -1,
        "clientOrderId": row.client_id,
        "price": number(row.price),
        "origQty": plain(row.quantity),
        "executedQty": plain(row.filled),
        "cummulativeQuoteQty": plain(row.quote_filled),
        "origQuoteOrderQty": number(row.quote_quantity),
        "status": row.status,
        "timeInForce": row.time_in_force,
        "type": row.type,
        "side": row.side.upper(),
        "stopPrice": number(row.stop_price),
        "icebergQty": "0.00000000",
        "time": row.created_ms,
        "updateTime": row.updated_ms,
        "isWorking": not row.waits_for_trigger,
        "workingTime": row.created_ms,
        "selfTradePreventionMode": "NONE",
    }


def placed(row: BookOrder, events: list[Event], market: Market, style: str) -> dict[str, Any]:
    """The answer to a new order: ``style`` is ACK, RESULT or FULL."""
    ack = {
        "symbol": market.id,
        "orderId": row.id,
        "orderListId": -1,
        "clientOrderId": row.client_id,
        "transactTime": row.updated_ms,
    }
    if style == "ACK":
        return ack
    result = {
        **ack,
        "price": number(row.price),
        "origQty": plain(row.quantity),
        "executedQty": plain(row.filled),
        "origQuoteOrderQty": number(row.quote_quantity),
        "cummulativeQuoteQty": plain(row.quote_filled),
        "status": row.status,
        "timeInForce": row.time_in_force,
        "type": row.type,
        "side": row.side.upper(),
        "stopPrice": number(row.stop_price),
        "workingTime": row.created_ms,
        "selfTradePreventionMode": "NONE",
    }
    if style == "FULL":
        result["fills"] = [_fill(event.trade) for event in events if event.trade]
    return result


def _fill(row: BookTrade) -> dict[str, Any]:
    return {
        "price": plain(row.price),
        "qty": plain(row.quantity),
        "commission": plain(row.commission),
        "commissionAsset": row.commission_asset,
        "tradeId": row.id,
    }


def trade(row: BookTrade, market: Market) -> dict[str, Any]:
    """An own execution."""
    return {
        "symbol": market.id,
        "id": row.id,
        "orderId": row.order_id,
        "orderListId": -1,
        "price": plain(row.price),
        "qty": plain(row.quantity),
        "quoteQty": plain(row.value),
        "commission": plain(row.commission),
        "commissionAsset": row.commission_asset,
        "time": row.at_ms,
        "isBuyer": row.side == "buy",
        "isMaker": row.maker,
        "isBestMatch": True,
    }


def account(row: Account, fee: Decimal, now_ms: int) -> dict[str, Any]:
    """``GET /api/v3/account``: every currency the account ever held."""
    return {
        "makerCommission": int(fee * 10_000),
        "takerCommission": int(fee * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": currency, "free": plain(wallet.free), "locked": plain(wallet.used)}
            for currency, wallet in row.wallets.items()
        ],
        "permissions": ["SPOT"],
    }


def execution_report(event: Event, market: Market) -> dict[str, Any]:
    """A step of an order as the user stream tells it."""
    row, fill = event.order, event.trade
    return {
        "e": "executionReport",
        "E": event.at_ms,
        "s": market.id,
        "c": row.client_id,
        "S": row.side.upper(),
        "o": row.type,
        "f": row.time_in_force,
        "q": plain(row.quantity),
        "p": number(row.price),
        "P": number(row.stop_price),
        "F": "0.00000000",
        "g": -1,
        "C": "",
        "x": event.kind,
        "X": event.status,
        "r": "NONE",
        "i": row.id,
        "l": plain(fill.quantity) if fill else "0",
        "z": plain(event.filled),
        "L": plain(fill.price) if fill else "0",
        "n": plain(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else None,
        "T": event.at_ms,
        "t": fill.id if fill else -1,
        "w": row.resting,
        "m": fill.maker if fill else False,
        "O": row.created_ms,
        "Z": plain(event.quote_filled),
        "Y": plain(fill.value) if fill else "0",
        "Q": number(row.quote_quantity),
    }


def account_position(row: Account, currencies: set[str], now_ms: int) -> dict[str, Any]:
    """The wallets an event touched, as the user stream tells them."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": now_ms,
        "B": [
            {"a": c, "f": plain(row.wallet(c).free), "l": plain(row.wallet(c).used)}
            for c in sorted(currencies)
        ],
    }
