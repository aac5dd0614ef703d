"""A small exchange in Kraken's dialect on the matching core, for tests of a second declared venue.

Fixed prices, registered keys only, fees in the quote coin, client order ids under ``cl_ord_id``.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from exchanges.matching import (
    CANCELED,
    DEFAULT_MARKETS,
    EXPIRED,
    FILLED,
    NEW,
    PARTIALLY_FILLED,
    BookOrder,
    BookTrade,
    FeeRule,
    Market,
    MatchingCore,
    Refusal,
    Ticket,
)
from exchanges.matching.records import plain

STATUSES = {
    NEW: "open", PARTIALLY_FILLED: "open", FILLED: "closed", CANCELED: "canceled",
    EXPIRED: "expired",
}  # fmt: skip
TYPES = {"market": "MARKET", "limit": "LIMIT", "stop-loss": "STOP_LOSS"}
REFUSALS = {
    "insufficient_funds": "EOrder:Insufficient funds",
    "duplicate_client_id": "EOrder:cl_ord_id already in use",
    "lot_size": "EGeneral:Invalid arguments:volume",
    "notional": "EOrder:Order minimum not met",
    "unknown_symbol": "EQuery:Unknown asset pair",
    "unknown_order": "EOrder:Unknown order",
}
Form = dict[str, str]


class KrakenVenue:
    """The exchange; ``start`` and ``stop`` in the running loop, ``core`` for what is true."""

    def __init__(self) -> None:
        self.core = MatchingCore(DEFAULT_MARKETS[:2], fees=FeeRule(taken_in="quote"))
        self.secrets: dict[str, str] = {}
        self.requests: list[str] = []
        self.url = ""
        self._runner: web.AppRunner | None = None
        for market in self.core.markets.values():
            self.core.tick(market.symbol, market.start_price, 0)

    def register(self, key: str, secret: str, balances: dict[str, Decimal]) -> None:
        """Open an account; ``secret`` is base64, as Kraken's are."""
        self.secrets[key] = secret
        self.core.open_account(key, balances)

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        app = web.Application()
        app.router.add_get("/0/public/{name}", self._public)
        app.router.add_post("/0/private/{name}", self._private)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _public(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.requests.append(name)
        if name == "Time":
            return _answer({"unixtime": int(time.time())})
        if name == "Assets":
            coins = {c for m in self.core.markets.values() for c in (m.base, m.quote)}
            return _answer({c: _asset(c) for c in sorted(coins)})
        if name == "AssetPairs":
            return _answer({m.id: _pair(m) for m in self.core.markets.values()})
        if name == "Ticker":
            pair = self._market(request.query.get("pair", ""))
            return _answer({pair.id: _ticker(self.core.prices[pair.symbol])})
        return _error("EGeneral:Unknown method")

    async def _private(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.requests.append(name)
        body = await request.text()
        form = dict(parse_qsl(body, keep_blank_values=True))
        key = request.headers.get("API-Key", "")
        if key not in self.secrets:
            return _error("EAPI:Invalid key")
        if not self._is_signed(key, request, form.get("nonce", ""), body):
            return _error("EAPI:Invalid signature")
        handlers: dict[str, Callable[[str, Form], Any]] = {
            "AddOrder": self._add,
            "CancelOrder": self._cancel,
            "OpenOrders": self._open,
            "ClosedOrders": self._closed,
            "QueryOrders": self._query,
            "TradesHistory": self._trades,
            "BalanceEx": self._balance,
        }
        if name not in handlers:
            return _error("EGeneral:Unknown method")
        try:
            return _answer(handlers[name](key, form))
        except Refusal as refusal:
            return _error(REFUSALS.get(refusal.code, "EGeneral:Invalid arguments"))

    def _is_signed(self, key: str, request: web.Request, nonce: str, body: str) -> bool:
        digest = hashlib.sha256((nonce + body).encode()).digest()
        secret = base64.b64decode(self.secrets[key])
        wanted = hmac.new(secret, request.path.encode() + digest, hashlib.sha512).digest()
        given = request.headers.get("API-Sign", "")
        return hmac.compare_digest(base64.b64encode(wanted).decode(), given)

    def _market(self, pair: str) -> Market:
        for market in self.core.markets.values():
            if market.id == pair:
                return market
        raise Refusal("unknown_symbol")

    def _add(self, key: str, form: Form) -> Any:
        market = self._market(form["pair"])
        kind = TYPES.get(form["ordertype"], "")
        ticket = Ticket(
            symbol=market.symbol,
            side=form["type"],
            type="LIMIT_MAKER" if "post" in form.get("oflags", "") else kind,
            quantity=Decimal(form["volume"]),
            client_id=form.get("cl_ord_id", f"none-{self.core.next_order_id}"),
            price=Decimal(form["price"]) if kind == "LIMIT" else None,
            stop_price=Decimal(form["price"]) if kind == "STOP_LOSS" else None,
            time_in_force=form.get("timeinforce", "GTC"),
        )
        order, _ = self.core.submit(key, ticket, _now_ms())
        text = f"{order.side} {plain(order.quantity)} {market.id} @ {form['ordertype']}"
        if order.price is not None:
            text += f" {plain(order.price)}"
        return {"descr": {"order": text}, "txid": [_order_id(order.id)]}

    def _cancel(self, key: str, form: Form) -> Any:
        order_id = form.get("txid", "").removeprefix("O")
        order = self.core.find(
            key,
            order_id=int(order_id) if order_id.isdigit() else None,
            client_id=form.get("cl_ord_id", ""),
        )
        self.core.cancel(key, order.id, _now_ms())
        return {"count": 1}

    def _orders(self, key: str) -> list[BookOrder]:
        return list(self.core.accounts[key].orders.values())

    def _open(self, key: str, form: Form) -> Any:
        wanted = form.get("cl_ord_id")
        rows = [o for o in self._orders(key) if o.is_open and wanted in (None, o.client_id)]
        return {"open": {_order_id(o.id): self._order(o) for o in rows}}

    def _closed(self, key: str, form: Form) -> Any:
        rows = [o for o in reversed(self._orders(key)) if not o.is_open][:50]
        return {"closed": {_order_id(o.id): self._order(o) for o in rows}, "count": len(rows)}

    def _query(self, key: str, form: Form) -> Any:
        wanted = form.get("txid", "").split(",")
        return {
            _order_id(o.id): self._order(o) for o in self._orders(key) if _order_id(o.id) in wanted
        }

    def _trades(self, key: str, form: Form) -> Any:
        start = float(form.get("start") or 0) * 1000
        rows = [
            t
            for trades in self.core.accounts[key].trades.values()
            for t in trades
            if t.at_ms >= start
        ]
        rows.sort(key=lambda t: t.at_ms, reverse=True)
        return {"trades": {_trade_id(t): self._trade(t) for t in rows[:50]}, "count": len(rows)}

    def _balance(self, key: str, form: Form) -> Any:
        return {
            coin: {"balance": plain(w.free + w.used), "hold_trade": plain(w.used)}
            for coin, w in self.core.accounts[key].wallets.items()
        }

    def _order(self, order: BookOrder) -> dict[str, Any]:
        trades = self.core.accounts[order.account].trades.get(order.symbol, [])
        own = [t for t in trades if t.order_id == order.id]
        average = order.quote_filled / order.filled if order.filled else Decimal(0)
        return {
            "cl_ord_id": order.client_id,
            "status": STATUSES[order.status],
            "opentm": order.created_ms / 1000,
            "closetm": order.updated_ms / 1000,
            "descr": {
                "pair": self.core.markets[order.symbol].id,
                "type": order.side,
                "ordertype": order.type.lower().replace("_", "-"),
                "price": plain(order.price or Decimal(0)),
            },
            "vol": plain(order.quantity),
            "vol_exec": plain(order.filled),
            "cost": plain(order.quote_filled),
            "fee": plain(sum((t.commission for t in own), Decimal(0))),
            "price": plain(average),
            "oflags": "fciq",
            "trades": [_trade_id(t) for t in own],
        }

    def _trade(self, trade: BookTrade) -> dict[str, Any]:
        return {
            "ordertxid": _order_id(trade.order_id),
            "pair": self.core.markets[trade.symbol].id,
            "time": trade.at_ms / 1000,
            "type": trade.side,
            "ordertype": "limit" if trade.maker else "market",
            "price": plain(trade.price),
            "cost": plain(trade.value),
            "fee": plain(trade.commission),
            "vol": plain(trade.quantity),
            "trade_id": trade.id,
            "maker": trade.maker,
        }


def _answer(result: Any) -> web.Response:
    return web.json_response({"error": [], "result": result})


def _error(text: str) -> web.Response:
    return web.json_response({"error": [text]})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _order_id(number: int) -> str:
    return f"O{number:05}"


def _trade_id(trade: BookTrade) -> str:
    return f"T{trade.symbol[:3]}{trade.id:05}"


def _asset(coin: str) -> dict[str, Any]:
    return {"aclass": "currency", "altname": coin, "decimals": 10, "status": "enabled"}


def _pair(market: Market) -> dict[str, Any]:
    return {
        "altname": market.id, "wsname": market.symbol, "base": market.base,
        "quote": market.quote, "pair_decimals": 2,
        "lot_decimals": -int(market.step.as_tuple().exponent), "lot_multiplier": 1,
        "leverage_buy": [], "leverage_sell": [], "fees": [[0, 0.1]], "fees_maker": [[0, 0.1]],
        "ordermin": plain(market.min_quantity), "costmin": plain(market.min_notional),
        "tick_size": plain(market.tick), "status": "online",
    }  # fmt: skip


def _ticker(price: Decimal) -> dict[str, Any]:
    text = plain(price)
    level, pair = [text, "1", "1.000"], [text, text]
    return {
        "a": level, "b": level, "c": [text, "0.1"], "v": ["1", "1"], "p": pair, "t": [1, 1],
        "l": pair, "h": pair, "o": text,
    }  # fmt: skip
