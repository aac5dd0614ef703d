"""The operator's routes: accounts, prices, faults and the dump. Unsigned: keep them on loopback."""

from collections import Counter
from typing import Any

from aiohttp import web

from exchanges.matching.margin import MarginCore
from exchanges.matching.records import Account, BookOrder, BookTrade, plain
from exchanges.simulator import forms
from exchanges.simulator.engine import Engine
from exchanges.simulator.fault_kinds import CONNECTION
from exchanges.simulator.faults import Fault
from exchanges.simulator.keys import CLIENT_ID_MODES, ApiKey
from exchanges.simulator.rest import RestApi
from exchanges.simulator.streams import StreamHub


class Control:
    """Handlers of ``/_account``, ``/_price``, ``/_fault``, ``/_late``, ``/_stream``, ``/dump``."""

    def __init__(self, engine: Engine, hub: StreamHub, rest: RestApi) -> None:
        self.engine = engine
        self.hub = hub
        self.rest = rest

    def routes(self) -> list[web.RouteDef]:
        """The routes for the application."""
        return [
            web.post("/_account", self.register),
            web.post("/_account/revoke", self.revoke),
            web.post("/_account/restore", self.restore),
            web.post("/_price", self.set_price),
            web.post("/_fault", self.add_faults),
            web.get("/_fault", self.show_faults),
            web.delete("/_fault", self.clear_faults),
            web.post("/_late", self.let_arrive),
            web.get("/_stream", self.show_streams),
            web.post("/_stream/cut", self.cut_streams),
            web.get("/dump", self.dump),
        ]

    async def register(self, request: web.Request) -> web.Response:
        """``{"api_key", "api_secret", "balances", "futures", "withdrawals", "client_ids",
        "owner"}``: register, or update the secret. ``balances`` are those of the spot wallet and
        ``futures`` those of the margin wallet; ``client_ids`` is ``normal``, ``none`` or
        ``no_window``; ``owner`` is the number (``uid``) that the key's account is told to have; of
        keys that were not registered none is told.

        Doing it again is harmless: balances count only when the account is new.
        """
        body = await forms.body(request)
        name = str(body.get("api_key") or "")
        if not name:
            raise forms.bad("api_key is missing")
        known = self.engine.keys.get(name)
        default = known.client_ids if known else self.engine.config.client_ids
        mode = str(body.get("client_ids") or default)
        if mode not in CLIENT_ID_MODES:
            raise forms.bad(f"client_ids is one of {', '.join(CLIENT_ID_MODES)}")
        key = ApiKey(
            name,
            secret=body.get("api_secret") or (known.secret if known else None),
            revoked=known.revoked if known else False,
            withdrawals=bool(body.get("withdrawals", False)),
            client_ids=mode,
            owner=int(body.get("owner") or 0),
        )
        fresh = self.engine.register(
            key, forms.amounts(body.get("balances")), forms.amounts(body.get("futures"))
        )
        await self.engine.durable()
        return web.json_response({"created": fresh})

    async def revoke(self, request: web.Request) -> web.Response:
        """``{"api_key"}``: from now on the key is answered with -2015."""
        return await self._set_revoked(request, True)

    async def restore(self, request: web.Request) -> web.Response:
        """``{"api_key"}``: take a revocation back."""
        return await self._set_revoked(request, False)

    async def set_price(self, request: web.Request) -> web.Response:
        """``{"symbol", "price"}``: pin a price; ``null`` lets it move again."""
        body = await forms.body(request)
        symbol = str(body.get("symbol"))
        if symbol not in self.engine.feeds:
            raise forms.bad("unknown symbol")
        price = None if body.get("price") is None else forms.amount(body["price"])
        if price is not None and price <= 0:
            raise forms.bad("a price is above zero")
        self.engine.set_price(symbol, price)
        self.hub.publish_prices()
        await self.engine.durable()
        return web.json_response({"symbol": symbol, "price": plain(self.engine.price(symbol))})

    async def add_faults(self, request: web.Request) -> web.Response:
        """Add script rules or set probabilities; see ``FaultPlan.add``."""
        try:
            self.engine.faults.add(await forms.body(request), self.engine.now_ms())
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise forms.bad(str(error)) from error
        return await self.show_faults(request)

    async def show_faults(self, request: web.Request) -> web.Response:
        """What is left of the plan, and what fired."""
        return web.json_response(self.engine.faults.to_json())

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Forget all rules and probabilities."""
        self.engine.faults.clear()
        return await self.show_faults(request)

    async def let_arrive(self, request: web.Request) -> web.Response:
        """End the lateness of requests, in the order they were sent, and the hanging of answers."""
        arrived = self.rest.arrive()
        await self.engine.durable()
        return web.json_response({"arrived": arrived})

    async def show_streams(self, request: web.Request) -> web.Response:
        """How many user streams each key has open."""
        open_now = Counter(socket.api_key for socket in self.hub.sockets if socket.api_key)
        return web.json_response({"streams": open_now})

    async def cut_streams(self, request: web.Request) -> web.Response:
        """Disturb every user stream, or those of ``{"api_key"}``: ``how`` is ``cut`` (default),
        ``close``, ``stall`` (for ``seconds``, else for good) or ``terminate``.
        """
        body = await forms.body(request)
        kind = f"ws_{body.get('how') or 'cut'}"
        if kind not in CONNECTION:
            raise forms.bad("how is cut, close, stall or terminate")
        count = self.hub.disturb(Fault(kind, body), body.get("api_key"))
        return web.json_response({"cut": count})

    async def dump(self, request: web.Request) -> web.Response:
        """The whole truth, or that of ``?api_key=``."""
        return web.json_response(dump(self.engine, request.query.get("api_key")))

    async def _set_revoked(self, request: web.Request, revoked: bool) -> web.Response:
        name = forms.account_name(self.engine, await forms.body(request))
        self.engine.revoke(name, revoked=revoked)
        await self.engine.durable()
        return web.json_response({"revoked": revoked})


def dump(engine: Engine, api_key: str | None = None) -> dict[str, Any]:
    """Accounts by API key with balances, orders and trades, and the log of order requests."""
    core = engine.core
    names = [n for n in core.accounts if api_key in (None, n)]
    requests = [row for row in engine.log if api_key in (None, row["api_key"])]
    return {
        "at_ms": engine.now_ms(),
        "prices": {symbol: plain(engine.price(symbol)) for symbol in engine.feeds},
        "accounts": {
            name: {
                **_account(core.accounts[name]),
                "futures": _margin(engine.futures, name),
                "countdowns": sorted(s for of, s in engine.countdowns if of == name),
            }
            for name in names
        },
        "requests": requests,
        "request_count": engine.log_number if api_key is None else len(requests),
    }


def _account(account: Account) -> dict[str, Any]:
    trades = [trade for rows in account.trades.values() for trade in rows]
    return {
        "initial": {currency: plain(amount) for currency, amount in account.initial.items()},
        "balances": {
            currency: {"free": plain(wallet.free), "used": plain(wallet.used)}
            for currency, wallet in account.wallets.items()
        },
        "orders": [_order(order) for order in account.orders.values()],
        "trades": [_trade(trade) for trade in trades],
    }


def _margin(core: MarginCore, name: str) -> dict[str, Any]:
    """The margin account: its wallet, positions, orders, trades and every income."""
    row = core.margin[name]
    account = _account(core.accounts[name])
    return {
        "initial": account["initial"],
        "wallet": plain(core.wallet_of(name)),
        "hedged": row.hedged,
        "positions": [
            {
                "symbol": p.symbol, "side": p.side, "quantity": plain(p.quantity),
                "entry": plain(p.entry), "cost": plain(p.cost), "isolated": plain(p.isolated),
                "leverage": row.leverage_of(p.symbol),
            }
            for p in row.held()
        ],
        "orders": account["orders"],
        "trades": account["trades"],
        "income": [
            {
                "id": i.id, "kind": i.kind, "symbol": i.symbol, "asset": i.asset,
                "amount": plain(i.amount), "time": i.at_ms, "tradeId": i.trade_id,
            }
            for i in row.incomes
        ],
    }  # fmt: skip


def _order(order: BookOrder) -> dict[str, Any]:
    return {
        "orderId": order.id,
        "clientOrderId": order.client_id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "status": order.status,
        "quantity": plain(order.quantity),
        "filled": plain(order.filled),
        "quoteFilled": plain(order.quote_filled),
        "price": None if order.price is None else plain(order.price),
        "stopPrice": None if order.stop_price is None else plain(order.stop_price),
        "time": order.created_ms,
        "positionSide": order.position_side,
        "reduceOnly": order.reduce_only,
    }


def _trade(trade: BookTrade) -> dict[str, Any]:
    return {
        "id": trade.id,
        "orderId": trade.order_id,
        "clientOrderId": trade.client_id,
        "symbol": trade.symbol,
        "side": trade.side,
        "price": plain(trade.price),
        "quantity": plain(trade.quantity),
        "commission": plain(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": trade.at_ms,
        "realized": plain(trade.realized),
    }
