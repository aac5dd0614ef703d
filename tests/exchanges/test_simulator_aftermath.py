"""Faults after acceptance: orders ended by the exchange, external trades, answers that lag."""

import asyncio
from typing import Any

import pytest

from tests.exchanges.simulator_harness import Rehearsal, rehearsal
from tests.waiting import await_until


async def ready(venue: Rehearsal) -> Any:
    client = venue.client()
    await client.load_markets()
    return client


@pytest.mark.parametrize(
    ("kind", "status"), [("venue_cancel", "CANCELED"), ("venue_expire", "EXPIRED")]
)
async def test_the_exchange_ends_an_order_it_has_filled_in_part(kind: str, status: str) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await venue.fault(kind, n=4, ms=50)
        order = await client.create_order("BTC/USDT", "market", "buy", 0.04)
        assert (order["status"], order["filled"]) == ("open", 0.01)

        async def ended() -> bool:
            return bool((await venue.dump())["orders"][0]["status"] == status)

        await await_until(ended)
        truth = await venue.dump()
        assert truth["orders"][0]["filled"] == "0.01000"
        assert truth["balances"]["USDT"] == {"free": "9540.00000", "used": "0.00000"}


async def test_an_order_already_done_is_not_ended_again() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await venue.fault("venue_cancel", n=1, ms=1)
        order = await client.create_order("BTC/USDT", "market", "buy", 0.04)
        await asyncio.sleep(0.05)
        assert (await client.fetch_order(order["id"], "BTC/USDT"))["status"] == "closed"


async def test_an_external_order_trades_back_half_of_what_was_bought() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await venue.fault("external_order", share=0.5, ms=10)
        await client.create_order("BTC/USDT", "market", "buy", 0.04)

        async def traded() -> bool:
            return len((await venue.dump())["orders"]) == 2

        await await_until(traded)
        theirs = (await venue.dump())["orders"][1]
        assert (theirs["side"], theirs["filled"]) == ("sell", "0.02000")
        assert theirs["clientOrderId"].startswith("autoclose-")
        assert len((await venue.dump())["requests"]) == 1


async def test_a_stale_query_shows_an_order_as_it_was_before_its_fill() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        order = await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000)
        venue.go_on(2)
        await venue.price("BTC/USDT", "44000")
        await venue.call(
            "POST",
            "/_fault",
            {"script": [{"kind": "stale_query", "times": 3, "params": {"ms": 1900}}]},
        )
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert (found["status"], found["filled"]) == ("open", 0)
        assert [o["id"] for o in await client.fetch_open_orders("BTC/USDT")] == [order["id"]]
        assert await client.fetch_my_trades("BTC/USDT") == []
        assert (await client.fetch_order(order["id"], "BTC/USDT"))["status"] == "closed"
        assert await client.fetch_open_orders("BTC/USDT") == []


async def test_a_stale_balance_is_the_one_of_a_moment_ago() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.create_order("BTC/USDT", "market", "buy", 0.01)
        venue.go_on(2)
        await client.create_order("BTC/USDT", "market", "buy", 0.01)
        for lag, usdt in ((1900, 9540), (60_000, 10_000)):
            await venue.fault("stale_balance", ms=lag)
            assert (await client.fetch_balance())["USDT"]["free"] == usdt
        assert (await client.fetch_balance())["USDT"]["free"] == 9080
