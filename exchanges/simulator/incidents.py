"""The operator's routes for what happens at an exchange without a request of ours: orders placed
by hand, liquidations, and orders the exchange ends by itself. Unsigned, like all of them.
"""

import itertools
from typing import Any

from aiohttp import web

from exchanges.matching import CANCELED, EXPIRED, BookOrder, Refusal, Ticket
from exchanges.matching.records import BOTH, plain
from exchanges.simulator import errors, forms
from exchanges.simulator.engine import Engine
from exchanges.simulator.streams import StreamHub

# The beginnings of the client ids that Binance shows for such orders.
PREFIXES = {"manual": "web_", "liquidation": "autoclose-"}


class Incidents:
    """Handlers of ``/_external``, ``/_cancel`` and ``/_funding``."""

    def __init__(self, engine: Engine, hub: StreamHub) -> None:
        self.engine = engine
        self.hub = hub
        self._numbers = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        """The routes for the application."""
        return [
            web.post("/_external", self.external),
            web.post("/_cancel", self.end_order),
            web.post("/_funding", self.pay_funding),
        ]

    async def external(self, request: web.Request) -> web.Response:
        """``{"api_key", "symbol", "side", "quantity", "type", "price", "reason"}``: an order of
        the account that no request placed. ``position_side`` names a hedged position;
        ``reason`` is ``manual`` or ``liquidation``.
        """
        body = await forms.body(request)
        reason = str(body.get("reason") or "manual")
        if reason not in PREFIXES:
            raise forms.bad(f"reason is one of {', '.join(PREFIXES)}")
        price = body.get("price")
        ticket = Ticket(
            symbol=str(body.get("symbol")),
            side=str(body.get("side")).lower(),
            type=str(body.get("type") or "market").upper(),
            quantity=forms.amount(body.get("quantity")),
            client_id=f"{PREFIXES[reason]}{self.engine.now_ms()}-{next(self._numbers)}",
            price=None if price is None else forms.amount(price),
            position_side=str(body.get("position_side") or BOTH).upper(),
        )
        name = forms.account_name(self.engine, body)
        order = _carried_out(lambda: self.engine.place_unasked(name, ticket))
        await self.engine.durable()
        return _told(order)

    async def end_order(self, request: web.Request) -> web.Response:
        """``{"api_key", "order_id", "symbol", "status"}``: the exchange ends a working
        order, filled in part or not; ``symbol`` is needed for contracts, ``status`` is
        ``CANCELED`` or ``EXPIRED``.
        """
        body = await forms.body(request)
        name = forms.account_name(self.engine, body)
        status = str(body.get("status") or CANCELED)
        if status not in (CANCELED, EXPIRED):
            raise forms.bad("status is CANCELED or EXPIRED")
        number = int(forms.amount(body.get("order_id")))
        core = self.engine.core_of(str(body.get("symbol") or ""))
        order = _carried_out(lambda: core.find(name, order_id=number))
        _carried_out(lambda: self.engine.cancel(order, status=status))
        await self.engine.durable()
        return _told(order)

    async def pay_funding(self, request: web.Request) -> web.Response:
        """``{"symbol", "rate"}``: every position of a contract pays or gets ``rate``, a fraction
        that may be below zero, of its value.
        """
        body = await forms.body(request)
        symbol = str(body.get("symbol"))
        if symbol not in self.engine.futures.markets:
            raise forms.bad("unknown symbol")
        rate = forms.signed(body.get("rate"))
        incomes = self.engine.futures.pay_funding(symbol, rate, self.engine.now_ms())
        self.engine.commit()
        for income in incomes:
            self.hub.publish_margin(income.account, "FUNDING_FEE", symbol)
        await self.engine.durable()
        return web.json_response([
            {"api_key": row.account, "amount": plain(row.amount)} for row in incomes
        ])  # fmt: skip


def _carried_out(work: Any) -> Any:
    """The result of ``work``, or a 400 with the exchange's own refusal."""
    try:
        return work()
    except Refusal as refusal:
        raise forms.bad(errors.from_refusal(refusal, futures=True).message) from refusal


def _told(order: BookOrder) -> web.Response:
    return web.json_response({
        "orderId": order.id, "clientOrderId": order.client_id, "status": order.status,
    })  # fmt: skip
