"""Bad answers on the wire: silence, resets, cut bodies and pages that are no JSON."""

import asyncio
import json
import socket
import struct
from contextlib import suppress
from typing import Any

from aiohttp import web

from exchanges.simulator.faults import Fault

HTML = "<html><head><title>Error</title></head><body><h1>Bad gateway</h1></body></html>"
CODED: dict[str, tuple[int, int, str]] = {
    "e1000": (500, -1000, "An unknown error occurred while processing the request."),
    "e1001": (503, -1001, "Internal error; unable to process your request. Please try again."),
    "e1006": (503, -1006, "An unexpected response was received. Execution status unknown."),
    "e1007": (503, -1007, "Timeout waiting for response from backend server."),
    "e1008": (503, -1008, "Server is currently overloaded with other requests."),
    "unmapped_400": (400, -9999, "Something nobody has listed."),
}
PAGES = {"http_502": 502, "http_503": 503, "http_504": 504}


async def answer_badly(
    request: web.Request, fault: Fault, hurry: asyncio.Event, payload: Any = None
) -> web.StreamResponse:
    """Give the answer ``fault`` describes. ``payload`` is the honest answer, if there is one.

    ``hang`` waits ``seconds`` (30), or until ``hurry`` is set, then answers with the payload or,
    without one, just closes.
    """
    name = fault.kind.removesuffix("_after").removesuffix("_before")
    if name in CODED:
        status, code, message = CODED[name]
        return web.json_response({"code": code, "msg": message}, status=status)
    if name in PAGES:
        return web.Response(text=HTML, status=PAGES[name], content_type="text/html")
    if name == "slow_ack":
        await asyncio.sleep(float(fault.params.get("ms", 300)) / 1000)
        return web.json_response(payload)
    if name == "hang":
        return await _hang(request, fault, hurry, payload)
    if name == "rst":
        return reset(request)
    if name == "cut_body":
        return await _cut_body(request, payload)
    if name in ("bad_json", "html", "empty", "no_id"):
        return _unreadable(name, fault, payload)
    return close(request)


def reset(request: web.Request) -> web.Response:
    """Reset the connection: the client sees ECONNRESET."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


def close(request: web.Request) -> web.Response:
    """End the connection without an answer."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=500)


async def _hang(
    request: web.Request, fault: Fault, hurry: asyncio.Event, payload: Any
) -> web.StreamResponse:
    with suppress(TimeoutError):
        async with asyncio.timeout(float(fault.params.get("seconds", 30))):
            await hurry.wait()
    if payload is None:
        return close(request)
    return web.json_response(payload)


async def _cut_body(request: web.Request, payload: Any) -> web.StreamResponse:
    body = json.dumps(payload).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    close(request)
    return response


def _without_id(payload: dict[str, Any]) -> dict[str, Any]:
    """An answer about a new order that does not name it; also inside a cancel-replace."""
    rest = {k: v for k, v in payload.items() if k not in ("orderId", "algoId")}
    if isinstance(rest.get("newOrderResponse"), dict):
        rest["newOrderResponse"] = _without_id(rest["newOrderResponse"])
    return rest


def _unreadable(name: str, fault: Fault, payload: Any) -> web.Response:
    status = int(fault.params.get("status", 200))
    if name == "html":
        return web.Response(text=HTML, status=status, content_type="text/html")
    if name == "empty":
        return web.Response(text="", status=status, content_type="application/json")
    if name == "no_id":
        return web.json_response(_without_id(payload))
    text = json.dumps(payload)[:-20]
    return web.Response(text=text, status=status, content_type="application/json")
