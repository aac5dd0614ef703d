"""What the simulated exchange does by itself, and the two ways it can treat ids and windows."""

import asyncio
from typing import Any

import ccxt.async_support as ccxt
import ccxt.pro as ccxt_pro
import pytest

from tests.exchanges.simulator_harness import Rehearsal, rehearsal
from tests.waiting import PATIENCE, await_until

EXTERNAL = {"api_key": "key-1", "symbol": "BTC/USDT", "side": "sell", "quantity": "0.5"}


async def ready(venue: Rehearsal) -> Any:
    client = venue.client()
    await client.load_markets()
    return client


async def refused(venue: Rehearsal, path: str, body: dict[str, Any]) -> str:
    async with venue.http.post(venue.server.url + path, json=body) as response:
        assert response.status == 400
        return str((await response.json())["error"])


@pytest.mark.parametrize(("reason", "prefix"), [("manual", "web_"), ("liquidation", "autoclose-")])
async def test_an_order_nobody_sent_is_in_the_books_and_in_no_request_log(
    reason: str, prefix: str
) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        answer = await venue.call("POST", "/_external", {**EXTERNAL, "reason": reason})
        assert answer["status"] == "FILLED"
        assert answer["clientOrderId"].startswith(prefix)
        trade = (await client.fetch_my_trades("BTC/USDT"))[0]
        assert (trade["side"], trade["amount"], trade["price"]) == ("sell", 0.5, 46_000)
        assert (await venue.dump())["requests"] == []


async def test_an_order_placed_by_hand_may_rest() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await venue.call("POST", "/_external", {**EXTERNAL, "type": "limit", "price": "47000"})
        assert (await client.fetch_open_orders("BTC/USDT"))[0]["price"] == 47_000


async def test_an_external_order_beyond_the_balance_moves_nothing() -> None:
    async with rehearsal() as venue:
        assert "insufficient balance" in await refused(
            venue, "/_external", {**EXTERNAL, "quantity": "2"}
        )
        assert "reason" in await refused(venue, "/_external", {**EXTERNAL, "reason": "boredom"})
        assert "api_key" in await refused(venue, "/_external", {**EXTERNAL, "api_key": "x"})
        truth = await venue.dump()
        assert (truth["orders"], truth["balances"]["BTC"]["free"]) == ([], "1")


@pytest.mark.parametrize(("status", "unified"), [("CANCELED", "canceled"), ("EXPIRED", "expired")])
async def test_the_exchange_ends_a_partly_filled_order(status: str, unified: str) -> None:
    async with rehearsal() as venue:
        watcher = venue.client(ccxt_pro.binance)
        await watcher.load_markets()
        client = await ready(venue)
        await venue.fault("partial_parts", n=2, over_ticks=True)
        order = await client.create_order("BTC/USDT", "market", "sell", 0.01)
        watched = asyncio.ensure_future(watcher.watch_orders("BTC/USDT"))
        await await_until(lambda: any(s.api_key for s in venue.server.hub.sockets))
        body = {"api_key": "key-1", "order_id": order["id"], "status": status}
        assert (await venue.call("POST", "/_cancel", body))["status"] == status
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert (found["status"], found["filled"], found["remaining"]) == (unified, 0.005, 0.005)
        async with asyncio.timeout(PATIENCE):
            assert (await watched)[-1]["status"] == unified
        assert (await venue.dump())["balances"]["BTC"] == {"free": "0.99500", "used": "0.00000"}
        assert "not exist" in await refused(venue, "/_cancel", body)


async def register(venue: Rehearsal, mode: str) -> None:
    await venue.call(
        "POST", "/_account", {"api_key": "key-1", "api_secret": "secret-1", "client_ids": mode}
    )


async def test_an_exchange_without_client_ids_neither_shows_nor_finds_them() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await register(venue, "none")
        params = {"clientOrderId": "mine"}
        order = await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000, params)
        assert order["clientOrderId"].startswith("sim-")
        again = await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000, params)
        assert again["id"] != order["id"]
        with pytest.raises(ccxt.BadRequest, match="orderId"):
            await client.fetch_order("", "BTC/USDT", params)
        with pytest.raises(ccxt.BadRequest, match="orderId"):
            await client.cancel_order("", "BTC/USDT", params)
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert found["clientOrderId"] == order["clientOrderId"]
        truth = await venue.dump()
        assert [(r["client_id"], r["order_id"]) for r in truth["requests"]] == [
            ("mine", 1), ("mine", 2),
        ]  # fmt: skip
        assert all(o["clientOrderId"].startswith("sim-") for o in truth["orders"])


async def test_a_whole_exchange_may_be_without_client_ids() -> None:
    async with rehearsal(client_ids="none") as venue:
        client = venue.client(key="key-2")
        await client.load_markets()
        order = await client.create_order(
            "BTC/USDT", "market", "buy", 0.01, None, {"clientOrderId": "mine"}
        )
        assert order["clientOrderId"].startswith("sim-")


async def test_an_exchange_without_windows_takes_a_request_however_old() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        client.nonce = lambda: client.milliseconds() - 300_000
        with pytest.raises(ccxt.InvalidNonce):
            await client.create_order("BTC/USDT", "market", "buy", 0.01)
        assert (await venue.dump())["orders"] == []
        await register(venue, "no_window")
        await client.create_order("BTC/USDT", "market", "buy", 0.01)
        assert len((await venue.dump())["orders"]) == 1


@pytest.mark.parametrize(("mode", "orders"), [("normal", 0), ("no_window", 1)])
async def test_only_an_exchange_without_windows_accepts_after_the_window(
    mode: str, orders: int
) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await register(venue, mode)
        await venue.fault("late_accept", ms=3_600_000, answer="http_504_before")
        with pytest.raises(ccxt.RequestTimeout):
            await client.create_order("BTC/USDT", "market", "buy", 0.01)
        assert (await venue.dump())["requests"][0]["verdict"] == "pending"
        venue.go_on(60)
        await venue.let_arrive()
        assert len((await venue.dump())["orders"]) == orders


async def test_an_unknown_mode_is_not_registered() -> None:
    async with rehearsal() as venue:
        body = {"api_key": "key-3", "client_ids": "sometimes"}
        assert "client_ids" in await refused(venue, "/_account", body)
        assert "key-3" not in venue.server.engine.keys
