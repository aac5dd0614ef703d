"""Unmodified ccxt.kraken trades on the second test exchange."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
import pytest

from tests.dialects.kraken import KrakenVenue
from tests.exchanges.simulator_harness import WireSession

SECRET = "c2VjcmV0LTE="


@asynccontextmanager
async def kraken(secret: str = SECRET) -> AsyncIterator[tuple[KrakenVenue, Any]]:
    """The exchange with one account of 10,000 USDT and a ccxt client of that account."""
    venue = KrakenVenue()
    venue.register("key-1", SECRET, {"USDT": Decimal(10_000)})
    await venue.start()
    async with aiohttp.ClientSession() as http:
        session = WireSession(http, venue.url)
        client = ccxt.kraken({
            "apiKey": "key-1", "secret": secret, "session": session, "enableRateLimit": False,
        })  # fmt: skip
        try:
            yield venue, client
        finally:
            await client.close()
            await venue.stop()


async def test_a_market_order_is_placed_and_read_back() -> None:
    async with kraken() as (venue, client):
        assert (await client.fetch_ticker("BTC/USDT"))["last"] == 46000
        params = {"clientOrderId": "3f0e6f2c-5d0b-4f0e-9d77-0123456789ab"}
        placed = await client.create_order("BTC/USDT", "market", "buy", 0.01, None, params)
        found = await client.fetch_order(placed["id"], "BTC/USDT")
        assert (found["status"], found["filled"], found["average"], found["clientOrderId"]) == (
            "closed", 0.01, 46000, params["clientOrderId"],
        )  # fmt: skip
        trade = (await client.fetch_my_trades("BTC/USDT"))[0]
        assert (trade["order"], trade["amount"], trade["price"]) == (placed["id"], 0.01, 46000)
        assert trade["fee"] == {"cost": 0.46, "currency": "USDT"}
        balance = await client.fetch_balance()
        assert (balance["BTC"]["free"], balance["USDT"]["free"]) == (0.01, 9539.54)
        assert venue.core.accounts["key-1"].orders[1].client_id == params["clientOrderId"]


async def test_an_order_is_found_by_its_client_id_open_or_closed() -> None:
    async with kraken() as (_, client):
        await client.create_order("BTC/USDT", "limit", "buy", 0.01, 40_000, {"clientOrderId": "a"})
        await client.create_order("BTC/USDT", "market", "buy", 0.01, None, {"clientOrderId": "b"})
        resting = await client.fetch_open_orders("BTC/USDT", None, None, {"clientOrderId": "a"})
        assert [(o["clientOrderId"], o["status"]) for o in resting] == [("a", "open")]
        closed = await client.fetch_closed_orders("BTC/USDT")
        assert [(o["clientOrderId"], o["status"]) for o in closed] == [("b", "closed")]
        await client.cancel_order(None, "BTC/USDT", {"clientOrderId": "a"})
        assert await client.fetch_open_orders("BTC/USDT") == []


async def test_refusals_come_as_krakens_errors() -> None:
    async with kraken() as (venue, client):
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order("BTC/USDT", "market", "buy", 1)
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order("O99999", "BTC/USDT")
        assert venue.core.accounts["key-1"].orders == {}


async def test_a_wrong_signature_is_refused() -> None:
    async with kraken(secret="d3Jvbmc=") as (_, client):
        # ccxt 4.5.90 has no class for this error: it comes as a bare ExchangeError.
        with pytest.raises(ccxt.ExchangeError, match="EAPI:Invalid signature"):
            await client.fetch_balance()
