"""What faults make of a user stream, seen on the bare WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.exchanges.simulator_harness import Rehearsal, rehearsal
from tests.waiting import PATIENCE


@asynccontextmanager
async def listening(venue: Rehearsal) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A subscribed user stream of a key whose signatures are not checked."""
    url = venue.server.url.replace("http", "ws") + "/ws-api/v3"
    async with venue.http.ws_connect(url) as ws:
        params = {"apiKey": "key-2", "timestamp": venue.server.engine.now_ms(), "signature": "x"}
        await ws.send_json(
            {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
        )
        assert (await ws.receive_json(timeout=PATIENCE))["status"] == 200
        yield ws


async def reports(ws: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    """The kinds of the next ``count`` execution reports."""
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            event = json.loads(await ws.receive_str())["event"]
            if event["e"] == "executionReport":
                found.append(event["x"])
    return found


async def client_of(venue: Rehearsal) -> Any:
    client = venue.client(key="key-2")
    await client.load_markets()
    return client


async def buy(client: Any) -> Any:
    return await client.create_order("BTC/USDT", "market", "buy", 0.01)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("ws_drop", ["TRADE"]),
        ("ws_duplicate", ["NEW", "NEW", "TRADE"]),
        ("ws_reorder", ["TRADE", "NEW"]),
        ("ws_delay", ["TRADE", "NEW"]),
        ("ws_replay", ["NEW", "TRADE", "NEW"]),
    ],
)
async def test_a_fault_of_one_message(kind: str, told: list[str]) -> None:
    async with rehearsal() as venue, listening(venue) as ws:
        client = await client_of(venue)
        await venue.fault(kind, ms=100)
        await buy(client)
        assert await reports(ws, len(told)) == told


async def test_a_message_held_back_is_told_even_when_no_other_follows() -> None:
    async with rehearsal() as venue, listening(venue) as ws:
        client = await client_of(venue)
        await venue.fault("ws_reorder")
        await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000)
        assert await reports(ws, 1) == ["NEW"]


async def test_a_stalled_stream_says_nothing_and_answers_no_ping() -> None:
    async with rehearsal() as venue, listening(venue) as ws:
        client = await client_of(venue)
        assert await venue.call("POST", "/_stream/cut", {"how": "stall"}) == {"cut": 1}
        await ws.ping()
        await buy(client)
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.2)
        for socket in venue.server.hub.sockets:
            socket.stall(0)
        await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000)
        assert await reports(ws, 1) == ["NEW"]


async def test_a_terminated_stream_says_so_and_then_nothing_though_the_socket_stands() -> None:
    async with rehearsal() as venue, listening(venue) as ws:
        client = await client_of(venue)
        await venue.call("POST", "/_stream/cut", {"how": "terminate", "api_key": "key-2"})
        event = (await ws.receive_json(timeout=PATIENCE))["event"]
        assert event["e"] == "eventStreamTerminated"
        await buy(client)
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.2)
        assert not ws.closed


@pytest.mark.parametrize(("how", "code"), [("close", 1001), ("cut", 1006)])
async def test_a_connection_ends_with_or_without_a_goodbye(how: str, code: int) -> None:
    async with rehearsal() as venue, listening(venue) as ws:
        await venue.call("POST", "/_stream/cut", {"how": how})
        await ws.receive(timeout=PATIENCE)
        assert ws.close_code == code


async def test_connections_break_by_the_clock() -> None:
    async with rehearsal(tick_ms=20) as venue, listening(venue) as ws:
        await venue.call("POST", "/_fault", {"timed": [{"kind": "ws_close", "every_s": 0.1}]})
        await ws.receive(timeout=PATIENCE)
        assert ws.close_code == 1001
        assert (await venue.call("GET", "/_fault"))["fired_counts"]["ws_close"] >= 1


async def test_a_fill_may_be_told_before_the_order_is_acknowledged() -> None:
    async with rehearsal() as venue, listening(venue) as ws:
        client = await client_of(venue)
        await venue.fault("slow_ack", ms=2000)
        acknowledged = asyncio.ensure_future(buy(client))
        assert await reports(ws, 2) == ["NEW", "TRADE"]
        assert not acknowledged.done()
        assert (await acknowledged)["status"] == "closed"
