"""The REST door: finds the route, checks the signature, lets faults strike, gives the answer."""

import asyncio
import math
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from exchanges.matching import FillPlan, Refusal
from exchanges.simulator import errors
from exchanges.simulator.aftermath import ENDINGS
from exchanges.simulator.broken import answer_badly
from exchanges.simulator.engine import Engine
from exchanges.simulator.fault_kinds import AFTER, AFTERMATH, BEFORE, BURSTS, LATE, Call
from exchanges.simulator.faults import Fault
from exchanges.simulator.keys import ApiKey, check_signature, check_window
from exchanges.simulator.requests import Ask
from exchanges.simulator.route import Route
from exchanges.simulator.routes import ROUTES

FUTURES_PREFIX = "/fapi/"
CLIENT_ID_NAMES = ("newClientOrderId", "clientAlgoId", "origClientOrderId")
REFUSING = frozenset({"429", "418", "revoked", "key_revoked"}) | BURSTS.keys()


class RestApi:
    """Answers every path that is not the operator's own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._weights: dict[str, int] = {}
        self._minute = 0
        self._late: dict[asyncio.TimerHandle, tuple[Route, Ask]] = {}
        self._hurry = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        engine = self.engine
        route = ROUTES.get((request.method, request.path))
        if route is None:
            return web.json_response({"code": -1000, "msg": "Unknown path."}, status=404)
        query = request.rel_url.raw_query_string
        body = await request.text() if request.can_read_body else ""
        payload = query + body
        params = dict(parse_qsl(payload, keep_blank_values=True))
        name = request.headers.get("X-MBX-APIKEY", "")
        key = engine.keys.get(name)
        call = Call(
            request.method,
            request.path,
            name,
            params.get("symbol", ""),
            next((params[name] for name in CLIENT_ID_NAMES if params.get(name)), ""),
            windowless=key is not None and not key.has_window,
        )
        now = engine.now_ms()
        ask = Ask(params, now, now, is_futures=request.path.startswith(FUTURES_PREFIX))
        if call.is_order:
            ask.entry = engine.arrived(
                api_key=call.api_key, symbol=call.symbol, client_id=call.client_id
            )
        if engine.config.latency_ms:
            await asyncio.sleep(engine.config.latency_ms / 1000)
        used = self._weigh(call.api_key, route.weight, now)
        try:
            return await self._answer(request, route, call, ask, payload, used)
        except errors.ApiError as error:
            if call.is_order and ask.entry["verdict"] == "pending":
                self.engine.complete(ask.entry, "refused", code=error.code)
            return web.json_response(
                error.body(), status=error.status, headers={**_weight_header(used), **error.headers}
            )

    async def _answer(
        self,
        request: web.Request,
        route: Route,
        call: Call,
        ask: Ask,
        payload: str,
        used: int,
    ) -> web.StreamResponse:
        if 0 < self.engine.config.weight_limit < used:
            raise errors.too_many(60 - ask.now_ms // 1000 % 60, banned=False)
        fault = self.engine.faults.strike(BEFORE, call, ask.now_ms)
        if fault is not None:
            return await self._before(request, route, call, ask, payload, fault)
        self._bend(call, ask)
        if route.keyed:
            ask.key = self._key(call)
        if route.signed:
            self._authenticate(call, ask, payload)
        answer = self._run(route, ask)
        if route.writes:
            await self.engine.durable()
        fault = self.engine.faults.strike(AFTER, call, ask.now_ms)
        if fault is not None:
            if call.is_order:
                self.engine.complete(ask.entry, "accepted", fault=fault.kind)
            return await answer_badly(request, fault, self._hurry, answer)
        return web.json_response(answer, headers=_weight_header(used))

    def _run(self, route: Route, ask: Ask) -> Any:
        try:
            return route.handler(self.engine, ask)
        except Refusal as refusal:
            raise errors.from_refusal(refusal, futures=ask.is_futures) from refusal

    async def _before(
        self,
        request: web.Request,
        route: Route,
        call: Call,
        ask: Ask,
        payload: str,
        fault: Fault,
    ) -> web.StreamResponse:
        """A fault instead of the request; those of ``LATE`` carry it out afterwards."""
        ask.entry["fault"] = fault.kind
        if fault.kind in errors.FAULT_REFUSALS:
            raise errors.fault_refusal(fault.kind, futures=ask.is_futures)
        if fault.kind in LATE:
            self._bend(call, ask)
            self._authenticate(call, ask, payload)
            self._put_off(route, ask, _lateness_ms(fault, ask) / 1000)
        elif call.is_order:
            self.engine.complete(ask.entry, "not_accepted", fault=fault.kind)
        if fault.kind == "key_revoked":
            self.engine.revoke(call.api_key)
        if fault.kind in REFUSING:
            raise _refusing(fault, ask.now_ms)
        if fault.kind in LATE or fault.kind == "stale_refused":
            fault = Fault(str(fault.params.get("answer", "rst_before")), fault.params)
        return await answer_badly(request, fault, self._hurry)

    def arrive(self) -> int:
        """Carry out now every request that is still under way because of a fault of ``LATE``, and
        end the silence of those that hang; returns how many were carried out.
        """
        self._hurry.set()
        self._hurry = asyncio.Event()
        under_way = list(self._late.items())
        self._late.clear()
        for timer, (route, ask) in under_way:
            timer.cancel()
            self._carry_out(route, ask)
        return len(under_way)

    def _put_off(self, route: Route, ask: Ask, seconds: float) -> None:
        def arrive() -> None:
            self._carry_out(*self._late.pop(timer))

        timer = asyncio.get_running_loop().call_later(seconds, arrive)
        self._late[timer] = (route, ask)

    def _carry_out(self, route: Route, ask: Ask) -> None:
        if not self.engine.is_open:
            return
        ask.now_ms = ask.clock_ms = self.engine.now_ms()
        try:
            _check_window(ask)
            self._run(route, ask)
        except errors.ApiError as error:
            self.engine.complete(ask.entry, "refused", code=error.code)

    def _bend(self, call: Call, ask: Ask) -> None:
        """Let the modifying faults act on the request."""
        engine = self.engine
        if engine.faults.is_empty:
            return

        def strike(kind: str) -> Fault | None:
            return engine.faults.strike(frozenset({kind}), call, ask.now_ms)

        if skew := strike("clock_skew"):
            ask.clock_ms += int(skew.params.get("offset_ms", 30_000))
        if stale := strike("stale_query") or strike("stale_balance"):
            ask.blind_ms = int(stale.params.get("ms", 1000))
        if call.is_order:
            parts, delay = strike("partial_parts"), strike("fill_delay")
            ask.plan = FillPlan(
                parts=int(parts.params.get("n", 3)) if parts else 1,
                over_ticks=bool(parts and parts.params.get("over_ticks", False)),
                delay_ms=int(delay.params.get("ms", 500)) if delay else 0,
            )
            ask.aftermath = [f for kind in sorted(AFTERMATH) if (f := strike(kind))]
            for fault in ask.aftermath:
                if fault.kind in ENDINGS:
                    ask.plan = FillPlan(parts=int(fault.params.get("n", 3)), over_ticks=True)
            if delay:
                loop = asyncio.get_running_loop()
                loop.call_later(ask.plan.delay_ms / 1000 + 0.002, engine.release)

    def _key(self, call: Call) -> ApiKey:
        if not call.api_key:
            raise errors.malformed_key()
        return self.engine.key(call.api_key)

    def _authenticate(self, call: Call, ask: Ask, payload: str) -> None:
        ask.key = self._key(call)
        signed, _, signature = payload.rpartition("&signature=")
        if not signature:
            raise errors.missing("signature")
        check_signature(ask.key, signed, signature)
        _check_window(ask)

    def _weigh(self, api_key: str, weight: int, now_ms: int) -> int:
        minute = now_ms // 60_000
        if minute != self._minute:
            self._minute = minute
            self._weights.clear()
        used = self._weights[api_key] = self._weights.get(api_key, 0) + weight
        return used


def _refusing(fault: Fault, now_ms: int) -> errors.ApiError:
    if fault.kind in ("revoked", "key_revoked"):
        return errors.unknown_key()
    wait = float(fault.params.get("retry_after", 1))
    if "until_ms" in fault.params:
        wait = (fault.params["until_ms"] - now_ms) / 1000
    return errors.too_many(max(1, math.ceil(wait)), banned=fault.kind.endswith("418"))


def _lateness_ms(fault: Fault, ask: Ask) -> float:
    """How long after its arrival a late request is carried out."""
    window = ask.integer("recvWindow", 5000)
    if "window_share" in fault.params:
        return float(fault.params["window_share"]) * window
    return float(fault.params.get("ms", window + 1000 if fault.kind == "late_beyond" else 1000))


def _check_window(ask: Ask) -> None:
    if ask.key is not None:
        window = ask.params.get("recvWindow", "5000")
        check_window(ask.key, ask.text("timestamp"), window, ask.clock_ms)


def _weight_header(used: int) -> dict[str, str]:
    return {"X-MBX-USED-WEIGHT-1M": str(used)}
