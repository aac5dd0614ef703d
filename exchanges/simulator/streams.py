"""The WebSocket doors: user data on ``/ws-api/v3``, market data on ``/ws`` and ``/stream``."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import WSMsgType, web

from exchanges.matching import Event
from exchanges.simulator import errors, render
from exchanges.simulator.engine import Engine
from exchanges.simulator.fault_kinds import STREAM, STREAM_PATH, Call
from exchanges.simulator.faults import Fault
from exchanges.simulator.futures.account import listen_key_of
from exchanges.simulator.futures.stream import account_message, order_message
from exchanges.simulator.keys import check_signature, check_window
from exchanges.simulator.market_streams import market_message
from exchanges.simulator.sockets import Socket, disturb, tell

Door = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StreamHub:
    """Every open socket, and what is sent to whom."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sockets: set[Socket] = set()
        engine.listeners.append(self.publish_events)

    def routes(self) -> list[web.RouteDef]:
        """The routes for the application."""
        return [
            web.get(STREAM_PATH, self.user_socket),
            *_market_doors("", self.market_socket, self.combined_socket),
            web.get("/private/ws", self.futures_user_socket),
            *_market_doors("/public", self.market_socket, self.combined_socket),
            *_market_doors("/market", self.market_socket, self.combined_socket),
        ]

    async def user_socket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the WebSocket API as far as user data streams need it."""
        return await self._serve(request, combined=False, user=True)

    async def futures_user_socket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the user stream that the listen key in the query names; unknown keys get 401."""
        asked = request.query.get("listenKey", "")
        name = next((n for n in self.engine.keys if listen_key_of(n) == asked), "")
        if not name or self.engine.keys[name].revoked:
            raise web.HTTPUnauthorized
        return await self._serve(request, combined=False, user=False, api_key=name)

    async def market_socket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve raw market streams."""
        return await self._serve(request, combined=False, user=False)

    async def combined_socket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve market streams in ``{"stream", "data"}`` envelopes."""
        return await self._serve(request, combined=True, user=False)

    def publish_events(self, events: list[Event]) -> None:
        """Tell the user streams of the accounts concerned."""
        if not self.sockets:
            return
        by_account: dict[tuple[str, bool], list[Event]] = {}
        for event in events:
            key = (event.order.account, event.order.symbol in self.engine.futures.markets)
            by_account.setdefault(key, []).append(event)
        for (name, is_futures), rows in by_account.items():
            targets = self._listening(name, is_futures)
            if targets and is_futures:
                self._send_futures_events(name, rows, targets)
            elif targets:
                self._send_user_events(name, rows, targets)

    def publish_margin(self, name: str, reason: str, symbol: str) -> None:
        """Tell the futures streams of an account about its wallet and one position."""
        for socket in self._listening(name, True):
            socket.send(account_message(self.engine, name, reason, {symbol}))

    def publish_prices(self) -> None:
        """Send every subscribed market stream its present state, and pings where they are due."""
        for socket in list(self.sockets):
            socket.keep_alive()
            for stream in socket.streams:
                self._send_market(socket, stream)

    def disturb(self, fault: Fault, api_key: str | None) -> int:
        """Let a fault of the connections befall the user streams of one key, or all; how many."""
        targets = [s for s in self.sockets if s.api_key and api_key in (None, s.api_key)]
        for socket in targets:
            disturb(socket, fault)
        return len(targets)

    def disturb_one(self, fault: Fault) -> None:
        """Let a fault of the connections befall any one user stream."""
        targets = sorted((s for s in self.sockets if s.api_key), key=lambda s: s.number)
        if targets:
            disturb(self.engine.faults.pick(targets), fault)

    async def close(self) -> None:
        """End every socket properly."""
        for socket in list(self.sockets):
            await socket.ws.close(code=1001, message=b"going away")

    async def _serve(
        self, request: web.Request, *, combined: bool, user: bool, api_key: str = ""
    ) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        socket = Socket(request, ws, combined=combined)
        socket.api_key = api_key
        self.sockets.add(socket)
        pump = asyncio.ensure_future(socket.pump())
        if "name" in request.match_info and "@" in request.match_info["name"]:
            self._subscribe(socket, [request.match_info["name"]])
        try:
            async for message in ws:
                socket.hear()
                if message.type is WSMsgType.TEXT:
                    self._on_message(socket, message.data, user=user)
                elif message.type is WSMsgType.PING and not socket.is_stalled:
                    await ws.pong(message.data)
        finally:
            self.sockets.discard(socket)
            pump.cancel()
        return ws

    def _on_message(self, socket: Socket, text: str, *, user: bool) -> None:
        try:
            message = json.loads(text)
            number, method = message.get("id"), message.get("method")
            params = message.get("params") or ({} if user else [])
        except (ValueError, AttributeError):
            socket.send({"error": {"code": 3, "msg": "Invalid JSON"}})
            return
        if user:
            socket.send({"id": number, **self._user_call(socket, method, params)})
        elif method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            socket.send({"result": None, "id": number})
            if method == "SUBSCRIBE":
                self._subscribe(socket, params)
            else:
                socket.streams.difference_update(params)
        else:
            socket.send({"error": {"code": 2, "msg": "Invalid request"}, "id": number})

    def _user_call(self, socket: Socket, method: str, params: Any) -> dict[str, Any]:
        if method == "ping":
            return {"status": 200, "result": {}}
        if method == "time":
            return {"status": 200, "result": {"serverTime": self.engine.now_ms()}}
        if method == "userDataStream.unsubscribe":
            socket.api_key = ""
            return {"status": 200, "result": {}}
        if method != "userDataStream.subscribe.signature" or not isinstance(params, dict):
            return {"status": 400, "error": {"code": -1000, "msg": "Unknown method."}}
        try:
            self._authenticate(socket, params)
        except errors.ApiError as error:
            return {"status": error.status, "error": error.body()}
        return {"status": 200, "result": {"subscriptionId": 0}}

    def _authenticate(self, socket: Socket, params: dict[str, Any]) -> None:
        key = self.engine.key(str(params.get("apiKey") or ""))
        signed = "&".join(f"{k}={v}" for k, v in sorted(params.items()) if k != "signature")
        check_signature(key, signed, str(params.get("signature") or ""))
        check_window(
            key,
            str(params.get("timestamp", "")),
            str(params.get("recvWindow", 5000)),
            self._clock_ms(key.name),
        )
        socket.api_key = key.name

    def _clock_ms(self, api_key: str) -> int:
        """The exchange's clock, skewed while that fault lasts."""
        now = self.engine.now_ms()
        call = Call("POST", STREAM_PATH, api_key)
        skew = self.engine.faults.strike(frozenset({"clock_skew"}), call, now)
        return now + (int(skew.params.get("offset_ms", 30_000)) if skew else 0)

    def _listening(self, name: str, is_futures: bool) -> list[Socket]:
        return [s for s in self.sockets if s.api_key == name and s.is_futures == is_futures]

    def _send_futures_events(
        self, name: str, events: list[Event], targets: Iterable[Socket]
    ) -> None:
        traded = {event.order.symbol for event in events if event.trade}
        for socket in targets:
            if traded:
                socket.send(account_message(self.engine, name, "ORDER", traded))
            for event in events:
                self._tell(socket, event, order_message(self.engine, event))

    def _send_user_events(self, name: str, events: list[Event], targets: Iterable[Socket]) -> None:
        messages = []
        currencies: set[str] = set()
        for event in events:
            market = self.engine.core.markets[event.order.symbol]
            currencies |= {market.base, market.quote}
            messages.append((event, render.execution_report(event, market)))
        account = self.engine.core.accounts[name]
        position = render.account_position(account, currencies, self.engine.now_ms())
        for socket in targets:
            for event, message in messages:
                self._tell(socket, event, message)
            if socket.api_key:
                socket.send({"subscriptionId": 0, "event": position})

    def _tell(self, socket: Socket, event: Event, message: dict[str, Any]) -> None:
        """Send one report, or what a fault makes of it."""
        if not socket.api_key:
            return
        order = event.order
        core = self.engine.core_of(order.symbol)
        market_id = core.markets[order.symbol].id
        call = Call("WS", socket.request.path, order.account, market_id, order.client_id)
        fault = self.engine.faults.strike(STREAM, call, event.at_ms)
        tell(socket, socket.wrapped(message), fault)

    def _subscribe(self, socket: Socket, streams: Iterable[str]) -> None:
        for stream in streams:
            socket.streams.add(stream)
            self._send_market(socket, stream)

    def _send_market(self, socket: Socket, stream: str) -> None:
        data = market_message(self.engine, stream, is_futures=socket.is_futures)
        if data is not None:
            socket.send({"stream": stream, "data": data} if socket.combined else data)


def _market_doors(prefix: str, raw: Door, combined: Door) -> list[web.RouteDef]:
    return [
        web.get(f"{prefix}/ws", raw),
        web.get(f"{prefix}/ws/{{name}}", raw),
        web.get(f"{prefix}/stream", combined),
    ]
