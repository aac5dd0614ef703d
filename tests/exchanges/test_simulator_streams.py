"""The WebSocket doors of the simulator through unmodified ccxt.pro."""

import asyncio
from typing import Any

import ccxt.async_support as ccxt
import ccxt.pro as ccxt_pro
import pytest

from tests.exchanges.simulator_harness import Rehearsal, rehearsal
from tests.waiting import PATIENCE, await_until


async def watching(venue: Rehearsal, watch: Any) -> asyncio.Task[Any]:
    """Start a watch and return once its user stream is subscribed."""
    task = asyncio.ensure_future(watch)
    await await_until(lambda: any(s.api_key for s in venue.server.hub.sockets))
    return task


def awaited_by(client: Any) -> list[str]:
    """What a client's watches are waiting for."""
    return [name for each in client.clients.values() for name in each.futures]


async def buy(client: Any, client_id: str = "id-1") -> Any:
    return await client.create_order(
        "BTC/USDT", "market", "buy", 0.01, None, {"clientOrderId": client_id}
    )


async def test_a_fill_reaches_orders_trades_and_balance() -> None:
    async with rehearsal() as venue:
        client = venue.client(ccxt_pro.binance)
        await client.load_markets()
        orders = await watching(venue, client.watch_orders("BTC/USDT"))
        trades = asyncio.ensure_future(client.watch_my_trades("BTC/USDT"))
        balance = asyncio.ensure_future(client.watch_balance())
        await await_until(lambda: len(awaited_by(client)) >= 3)
        await buy(client)
        async with asyncio.timeout(PATIENCE):
            assert [(o["clientOrderId"], o["status"]) for o in await orders][-1] == (
                "id-1", "closed",
            )  # fmt: skip
            trade = (await trades)[0]
            assert (trade["id"], trade["amount"], trade["fee"]) == (
                "1", 0.01, {"currency": "BTC", "cost": 0.00001},
            )  # fmt: skip
            assert (await balance)["BTC"]["free"] == 1.00999


async def test_a_resting_order_tells_when_it_fills() -> None:
    async with rehearsal() as venue:
        client = venue.client(ccxt_pro.binance)
        await client.load_markets()
        await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000)
        orders = await watching(venue, client.watch_orders("BTC/USDT"))
        await venue.price("BTC/USDT", "44999")
        async with asyncio.timeout(PATIENCE):
            assert (await orders)[-1]["filled"] == 0.01


async def test_a_cut_stream_is_noticed_and_can_be_opened_again() -> None:
    async with rehearsal() as venue:
        client = venue.client(ccxt_pro.binance)
        await client.load_markets()
        orders = await watching(venue, client.watch_orders("BTC/USDT"))
        await venue.fault("ws_cut")
        await buy(client)
        with pytest.raises(ccxt.NetworkError):
            async with asyncio.timeout(PATIENCE):
                await orders
        again = await watching(venue, client.watch_orders("BTC/USDT"))
        await buy(client, "id-2")
        async with asyncio.timeout(PATIENCE):
            assert (await again)[-1]["clientOrderId"] == "id-2"
        assert len((await venue.dump())["orders"]) == 2


async def test_a_dropped_message_is_never_seen_and_a_doubled_one_twice() -> None:
    async with rehearsal() as venue:
        client = venue.client(ccxt_pro.binance)
        await client.load_markets()
        seen = await watching(venue, client.watch_my_trades("BTC/USDT"))
        rules = [
            {"kind": "ws_drop", "times": 2},
            {"kind": "ws_duplicate", "times": 2},
        ]
        await venue.call("POST", "/_fault", {"script": rules})
        await buy(client, "dropped")
        await buy(client, "doubled")
        async with asyncio.timeout(PATIENCE):
            assert {trade["id"] for trade in await seen} == {"2"}
        fired = (await venue.call("GET", "/_fault"))["fired_counts"]
        assert fired == {"ws_drop": 2, "ws_duplicate": 2}


async def test_a_wrong_signature_opens_no_user_stream() -> None:
    async with rehearsal() as venue:
        client = venue.client(ccxt_pro.binance, secret="wrong")
        await client.load_markets()
        # ccxt 4.5.90 trips over its own bookkeeping (KeyError) when a subscription is refused.
        with pytest.raises((ccxt.AuthenticationError, KeyError)):
            async with asyncio.timeout(PATIENCE):
                await client.watch_orders("BTC/USDT")
        assert not any(socket.api_key for socket in venue.server.hub.sockets)


async def test_prices_are_streamed() -> None:
    async with rehearsal() as venue:
        client = venue.client(ccxt_pro.binance)
        await client.load_markets()
        async with asyncio.timeout(PATIENCE):
            assert (await client.watch_ticker("BTC/USDT"))["last"] == 46000
            await venue.price("BTC/USDT", "47000")
            while (await client.watch_ticker("BTC/USDT"))["last"] != 47000:
                pass
            assert (await client.watch_trades("BTC/USDT"))[-1]["price"] == 47000
            assert (await client.watch_ohlcv("BTC/USDT", "1m"))[-1][4] == 47000
            quotes = await client.watch_bids_asks(["BTC/USDT"])
            assert (quotes["BTC/USDT"]["bid"], quotes["BTC/USDT"]["ask"]) == (47000, 47000.01)
