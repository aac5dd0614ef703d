"""The USD-M user stream through unmodified ccxt.pro, and on the bare WebSocket."""

import asyncio
import json
from typing import Any

import aiohttp
import ccxt.pro as ccxt_pro
import pytest

from exchanges.simulator.futures.account import listen_key_of
from tests.exchanges.simulator_harness import Rehearsal, rehearsal
from tests.waiting import PATIENCE, await_until

BTC = "BTC/USDT:USDT"


async def watching(venue: Rehearsal, watch: Any) -> asyncio.Task[Any]:
    """Start a watch and return once its user stream is open."""
    task = asyncio.ensure_future(watch)
    await await_until(lambda: any(s.api_key for s in venue.server.hub.sockets))
    return task


def awaited_by(client: Any) -> list[str]:
    """What a client's watches are waiting for."""
    return [name for each in client.clients.values() for name in each.futures]


async def test_a_fill_reaches_orders_trades_balance_and_positions() -> None:
    async with rehearsal() as venue:
        client = venue.futures_client(ccxt_pro.binanceusdm)
        await client.load_markets()
        orders = await watching(venue, client.watch_orders(BTC))
        trades = asyncio.ensure_future(client.watch_my_trades(BTC))
        balance = asyncio.ensure_future(client.watch_balance())
        positions = asyncio.ensure_future(client.watch_positions([BTC]))
        await await_until(lambda: len(awaited_by(client)) >= 4)
        await client.create_order(BTC, "market", "buy", 0.1, None, {"clientOrderId": "id-1"})
        async with asyncio.timeout(PATIENCE):
            told = (await orders)[-1]
            while told["status"] == "open":
                told = (await client.watch_orders(BTC))[-1]
            assert (told["clientOrderId"], told["status"], told["filled"]) == (
                "id-1", "closed", 0.1,
            )  # fmt: skip
            trade = (await trades)[0]
            assert (trade["amount"], trade["price"], trade["fee"]) == (
                0.1, 46_000, {"currency": "USDT", "cost": 2.3},
            )  # fmt: skip
            assert (await balance)["USDT"]["total"] == 9997.7
            position = (await positions)[-1]
            assert (position["symbol"], position["side"], position["contracts"]) == (
                BTC, "long", 0.1,
            )  # fmt: skip


async def test_the_public_streams_tell_prices() -> None:
    async with rehearsal() as venue:
        client = venue.futures_client(ccxt_pro.binanceusdm)
        await client.load_markets()
        async with asyncio.timeout(PATIENCE):
            assert (await client.watch_ticker(BTC))["last"] == 46_000


async def told(ws: aiohttp.ClientWebSocketResponse, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE):
        return [json.loads(await ws.receive_str()) for _ in range(count)]


async def open_stream(venue: Rehearsal, key: str) -> aiohttp.ClientWebSocketResponse:
    address = venue.server.url.replace("http", "ws") + "/private/ws?listenKey=" + key
    return await venue.http.ws_connect(address)


async def test_a_waiting_stop_and_a_funding_payment_have_messages_of_their_own() -> None:
    async with rehearsal() as venue:
        client = venue.futures_client()
        await client.load_markets()
        await client.create_order(BTC, "market", "buy", 0.1)
        ws = await open_stream(venue, (await client.fapiprivate_post_listenkey())["listenKey"])
        await client.create_order(BTC, "market", "sell", 0.1, None, {"stopLossPrice": 45_000})
        await venue.call("POST", "/_funding", {"symbol": BTC, "rate": "0.0001"})
        await venue.price(BTC, "44000")
        stop, funding, account, fill = await told(ws, 4)
        assert (stop["e"], stop["o"]["o"], stop["o"]["X"]) == ("ALGO_UPDATE", "STOP_MARKET", "NEW")
        assert (funding["a"]["m"], funding["a"]["B"][0]["wb"]) == ("FUNDING_FEE", "9997.24000000")
        assert account["a"]["P"][0]["pa"] == "0.0"
        assert (fill["o"]["x"], fill["o"]["rp"], fill["o"]["ot"]) == (
            "TRADE", "-200.00000000", "STOP_MARKET",
        )  # fmt: skip
        await ws.close()


async def test_a_liquidation_is_told_as_such_and_never_as_a_trade() -> None:
    async with rehearsal() as venue:
        client = venue.futures_client()
        await client.load_markets()
        await client.create_order(BTC, "market", "buy", 2)
        ws = await open_stream(venue, listen_key_of("key-1"))
        await venue.price(BTC, "30000")
        kinds = [(m["e"], m.get("o", {}).get("x")) for m in await told(ws, 3)]
        assert kinds == [
            ("ACCOUNT_UPDATE", None),
            ("ORDER_TRADE_UPDATE", "NEW"),
            ("ORDER_TRADE_UPDATE", "CALCULATED"),
        ]
        await ws.close()


async def test_a_terminated_stream_tells_its_key_has_expired() -> None:
    async with rehearsal() as venue:
        client = venue.futures_client()
        await client.load_markets()
        ws = await open_stream(venue, listen_key_of("key-1"))
        await venue.call("POST", "/_stream/cut", {"how": "terminate"})
        assert (await told(ws, 1))[0]["e"] == "listenKeyExpired"
        await client.create_order(BTC, "market", "buy", 0.1)
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.2)
        await ws.close()


async def test_an_unknown_listen_key_opens_nothing() -> None:
    async with rehearsal() as venue:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await open_stream(venue, "guess")
