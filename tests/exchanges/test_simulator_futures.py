"""USD-M futures at the simulator through unmodified ccxt: orders, positions, margin and money."""

import asyncio
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from exchanges.simulator.config import SimulatorConfig
from exchanges.simulator.server import SimulatorThread
from tests.exchanges.simulator_harness import Rehearsal, rehearsal, sync_client

BTC = "BTC/USDT:USDT"


async def ready(venue: Rehearsal, **keys: Any) -> Any:
    client = venue.futures_client(**keys)
    await client.load_markets()
    return client


async def truth(venue: Rehearsal) -> dict[str, Any]:
    return dict((await venue.dump())["futures"])


async def held(client: Any) -> list[tuple[str, float, float]]:
    return [(p["side"], p["contracts"], p["entryPrice"]) for p in await client.fetch_positions()]


async def test_a_position_is_opened_added_to_and_closed_to_the_cent() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        order = await client.create_order(
            BTC, "market", "buy", 0.1, None, {"clientOrderId": "in-1"}
        )
        assert (order["status"], order["average"], order["clientOrderId"]) == (
            "closed", 46_000, "in-1",
        )  # fmt: skip
        await venue.price(BTC, "48000")
        await client.create_order(BTC, "market", "buy", 0.1)
        assert await held(client) == [("long", 0.2, 47_000)]
        position = (await client.fetch_positions([BTC]))[0]
        assert (position["unrealizedPnl"], position["notional"]) == (200, 9600)
        assert position["hedged"] is False
        await venue.price(BTC, "49000")
        await client.create_order(BTC, "market", "sell", 0.05, None, {"reduceOnly": True})
        await client.create_order(BTC, "market", "sell", 0.15, None, {"reduceOnly": True})
        assert await held(client) == []
        trades = await client.fetch_my_trades(BTC)
        assert [t["fee"]["cost"] for t in trades] == [2.3, 2.4, 1.225, 3.675]
        assert [float(t["info"]["realizedPnl"]) for t in trades] == [0, 0, 100, 300]
        assert Decimal((await truth(venue))["wallet"]) == Decimal("10390.4")
        assert (await client.fetch_balance())["USDT"] == {
            "free": 10390.4, "used": 0, "total": 10390.4,
        }  # fmt: skip
        assert (await client.fetch_balance({"useV2": True}))["USDT"]["total"] == 10390.4


async def test_an_order_through_zero_turns_the_position_round() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.create_order(BTC, "market", "buy", 0.1)
        await venue.price(BTC, "45000")
        await client.create_order(BTC, "market", "sell", 0.3)
        assert await held(client) == [("short", 0.2, 45_000)]
        incomes = [(i["kind"], i["amount"]) for i in (await truth(venue))["income"]]
        assert [(k, Decimal(a)) for k, a in incomes] == [
            ("TRANSFER", Decimal("10000")),
            ("COMMISSION", Decimal("-2.3")),
            ("REALIZED_PNL", Decimal("-100")),
            ("COMMISSION", Decimal("-6.75")),
        ]


async def test_a_resting_order_takes_margin_by_the_leverage_and_fills_as_maker() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.set_leverage(10, BTC)
        order = await client.create_order(BTC, "limit", "buy", 0.1, 45_000, {"postOnly": True})
        assert (order["status"], order["timeInForce"]) == ("open", "PO")
        assert (await client.fetch_balance())["USDT"] == {
            "free": 9550, "used": 450, "total": 10_000,
        }  # fmt: skip
        await venue.price(BTC, "44000")
        found = await client.fetch_order(order["id"], BTC)
        assert (found["status"], found["average"]) == ("closed", 45_000)
        assert (await client.fetch_my_trades(BTC))[0]["takerOrMaker"] == "maker"
        assert (await client.fetch_leverage(BTC))["longLeverage"] == 10


async def test_an_order_is_edited_in_place_and_may_then_match() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        order = await client.create_order(BTC, "limit", "buy", 0.1, 45_000)
        edited = await client.edit_order(order["id"], BTC, "limit", "buy", 0.2, 45_500)
        assert (edited["id"], edited["amount"], edited["price"], edited["status"]) == (
            order["id"], 0.2, 45_500, "open",
        )  # fmt: skip
        with pytest.raises(ccxt.BaseError, match="-5027"):
            await client.edit_order(order["id"], BTC, "limit", "buy", 0.2, 45_500)
        edited = await client.edit_order(order["id"], BTC, "limit", "buy", 0.2, 47_000)
        assert (edited["status"], edited["average"]) == ("closed", 46_000)
        with pytest.raises(ccxt.OrderNotFound):
            await client.edit_order(order["id"], BTC, "limit", "buy", 0.3, 45_500)


async def test_orders_are_listed_found_by_client_id_and_cancelled() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        params = {"clientOrderId": "mine"}
        order = await client.create_order(BTC, "limit", "sell", 0.1, 50_000, params)
        assert [o["id"] for o in await client.fetch_open_orders(BTC)] == [order["id"]]
        assert (await client.fetch_order("", BTC, params))["id"] == order["id"]
        assert (await client.cancel_order("", BTC, params))["status"] == "canceled"
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order(order["id"], BTC)
        assert [o["status"] for o in await client.fetch_orders(BTC)] == ["canceled"]
        await client.create_order(BTC, "limit", "sell", 0.1, 50_000)
        await client.cancel_all_orders(BTC)
        assert await client.fetch_open_orders(BTC) == []


async def test_many_orders_in_one_request_are_judged_one_by_one() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        row = {"symbol": BTC, "type": "limit", "side": "buy", "price": 45_000}
        answers = await client.create_orders([{**row, "amount": 0.1}, {**row, "amount": 500}])
        assert sorted(a["status"] for a in answers) == ["open", "rejected"]
        assert [r["verdict"] for r in (await venue.dump())["requests"]] == ["accepted", "refused"]


async def test_a_stop_waits_as_an_algo_order_and_then_closes_the_position() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.create_order(BTC, "market", "buy", 0.1)
        params = {"stopLossPrice": 45_000, "reduceOnly": True, "clientOrderId": "stop-1"}
        stop = await client.create_order(BTC, "market", "sell", 0.1, None, params)
        assert (stop["status"], stop["clientOrderId"]) == ("open", "stop-1")
        assert await client.fetch_open_orders(BTC) == []
        waiting = await client.fetch_open_orders(BTC, params={"trigger": True})
        assert [(o["id"], o["triggerPrice"]) for o in waiting] == [(stop["id"], 45_000)]
        await venue.price(BTC, "44900")
        assert await held(client) == []
        assert (await client.fetch_order(stop["id"], BTC))["average"] == 44_900
        assert await client.fetch_open_orders(BTC, params={"trigger": True}) == []
        later = await client.create_order(
            BTC, "limit", "sell", 0.1, 47_000, {"takeProfitPrice": 47_000}
        )
        await client.cancel_order(later["id"], BTC, {"trigger": True})
        found = await client.fetch_order(later["id"], BTC, {"trigger": True})
        assert found["status"] == "canceled"


async def test_public_data_is_that_of_the_contracts() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        market = client.market(BTC)
        assert (market["precision"]["amount"], market["linear"]) == (0.001, True)
        assert (await client.fetch_ticker(BTC))["last"] == 46_000
        assert (await client.fetch_funding_rate(BTC))["markPrice"] == 46_000
        assert (await client.fetch_order_book(BTC))["bids"][0][0] == 46_000
        assert len(await client.fetch_ohlcv(BTC, "1m", None, 3)) == 3
        await venue.price("BTC/USDT", "47000")
        assert (await client.fetch_ticker(BTC))["last"] == 47_000
        await venue.price(BTC, "47100")
        assert (await client.fetch_ticker(BTC))["last"] == 47_100


async def test_spot_and_futures_live_side_by_side_in_one_client() -> None:
    async with rehearsal() as venue:
        client = venue.client(ccxt.binance)
        client.options["fetchMarkets"] = {"types": ["spot", "linear"]}
        await client.load_markets()
        await client.create_order("BTC/USDT", "market", "buy", 0.01)
        await client.create_order(BTC, "market", "sell", 0.01)
        whole = await venue.dump()
        assert [o["symbol"] for o in whole["orders"]] == ["BTC/USDT"]
        assert [o["symbol"] for o in whole["futures"]["orders"]] == [BTC]
        assert (await client.fetch_positions([BTC]))[0]["side"] == "short"
        assert (await client.fetch_balance({"type": "swap"}))["USDT"]["total"] == 9999.77


def test_the_synchronous_client_trades_contracts() -> None:
    with SimulatorThread(SimulatorConfig(price_mode="fixed")) as venue:
        client = sync_client(venue.url)
        client.options.update({
            "defaultType": "swap", "fetchMarkets": {"types": ["linear"]}, "fetchMargins": False,
            "fetchCurrencies": False,
        })  # fmt: skip
        order = client.create_order(BTC, "market", "sell", 0.01)
        assert (order["status"], order["average"]) == ("closed", 46_000)
        assert client.fetch_positions([BTC])[0]["contracts"] == 0.01
        client.session.close()


async def status(venue: Rehearsal, client_id: str) -> str:
    """What became of an order of the margin account."""
    orders = (await truth(venue))["orders"]
    return str(next(o["status"] for o in orders if o["clientOrderId"] == client_id))


async def until(venue: Rehearsal, client_id: str, wanted: str) -> None:
    """Wait for an order to come to a state."""
    async with asyncio.timeout(10):
        while await status(venue, client_id) != wanted:
            await asyncio.sleep(0.02)


async def test_a_countdown_cancels_its_symbols_orders_unless_it_is_told_again_or_stopped() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        for symbol, name in ((BTC, "btc"), ("ETH/USDT:USDT", "eth")):
            await client.create_order(symbol, "limit", "buy", 1, 1000, {"clientOrderId": name})

        async def tell(symbol: str, milliseconds: int) -> dict[str, Any]:
            params = {"symbol": client.market_id(symbol), "countdownTime": milliseconds}
            return dict(await client.fapiPrivatePostCountdownCancelAll(params))

        told = await tell("ETH/USDT:USDT", 60_000)
        assert told == {"symbol": "ETHUSDT", "countdownTime": "60000"}
        await tell(BTC, 60_000)
        assert (await venue.dump())["countdowns"] == [BTC, "ETH/USDT:USDT"]
        await tell(BTC, 100)  # it takes the place of the minute
        await until(venue, "btc", "CANCELED")
        assert (await venue.dump())["countdowns"] == ["ETH/USDT:USDT"]
        assert await status(venue, "eth") == "NEW"
        await tell("ETH/USDT:USDT", 0)
        assert (await venue.dump())["countdowns"] == []
