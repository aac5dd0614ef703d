"""Orders, refusals and queries at the simulator through unmodified ccxt, async and sync."""

from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from exchanges.simulator.config import SimulatorConfig
from exchanges.simulator.server import SimulatorThread
from tests.exchanges.simulator_harness import Rehearsal, rehearsal, sync_client


async def ready(venue: Rehearsal, **kwargs: Any) -> Any:
    client = venue.client(**kwargs)
    await client.load_markets()
    return client


async def test_a_market_buy_pays_its_fee_in_the_base_coin() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        order = await client.create_order(
            "BTC/USDT", "market", "buy", 0.01, None, {"clientOrderId": "abc"}
        )
        assert (order["status"], order["average"], order["clientOrderId"]) == (
            "closed", 46000, "abc",
        )  # fmt: skip
        assert order["fees"] == [{"currency": "BTC", "cost": 0.00001}]
        truth = await venue.dump()
        assert truth["balances"]["USDT"] == {"free": "9540.00", "used": "0.00"}
        assert Decimal(truth["balances"]["BTC"]["free"]) == Decimal("1.00999")
        assert truth["initial"] == {"USDT": "10000", "BTC": "1"}


async def test_a_market_sell_pays_its_fee_in_the_quote_coin() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.create_order("BTC/USDT", "market", "sell", 0.01)
        trade = (await client.fetch_my_trades("BTC/USDT"))[0]
        assert trade["fee"] == {"currency": "USDT", "cost": 0.46}
        balance = await client.fetch_balance()
        assert (balance["USDT"]["free"], balance["BTC"]["free"]) == (10459.54, 0.99)


async def test_a_market_buy_by_cost_buys_whole_steps() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        order = await client.create_market_buy_order_with_cost("BTC/USDT", 100)
        assert (order["amount"], order["cost"]) == (0.00217, 99.82)


async def test_a_limit_order_rests_until_the_price_comes_and_fills_at_its_limit() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        order = await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000)
        assert (order["status"], order["filled"]) == ("open", 0)
        assert (await client.fetch_balance())["USDT"] == {
            "free": 9550.0, "used": 450.0, "total": 10000.0,
        }  # fmt: skip
        await venue.price("BTC/USDT", "44900")
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert (found["status"], found["average"]) == ("closed", 45000)
        assert (await client.fetch_my_trades("BTC/USDT"))[0]["takerOrMaker"] == "maker"


@pytest.mark.parametrize(("tif", "status"), [("IOC", "expired"), ("FOK", "expired")])
async def test_an_immediate_order_off_the_price_expires(tif: str, status: str) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        order = await client.create_order(
            "BTC/USDT", "limit", "buy", 0.01, 45_000, {"timeInForce": tif}
        )
        assert (order["status"], order["filled"]) == (status, 0)
        assert (await client.fetch_balance())["USDT"]["used"] == 0


@pytest.mark.parametrize(
    ("kind", "side", "params", "trigger", "average"),
    [
        ("market", "sell", {"stopLossPrice": 45_000}, "44990", 44990),
        ("limit", "sell", {"stopLossPrice": 45_000}, "44990", 44990),
        ("market", "sell", {"takeProfitPrice": 47_000}, "47010", 47010),
        ("limit", "sell", {"takeProfitPrice": 47_000}, "47010", 47010),
        ("market", "buy", {"stopLossPrice": 47_000}, "47010", 47010),
        ("market", "buy", {"takeProfitPrice": 45_000}, "44990", 44990),
    ],
)
async def test_a_triggered_order_sleeps_until_its_price(
    kind: str, side: str, params: dict[str, Any], trigger: str, average: float
) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        limit = 44_000 if kind == "limit" else None
        order = await client.create_order("BTC/USDT", kind, side, 0.01, limit, params)
        assert (await client.fetch_order(order["id"], "BTC/USDT"))["status"] == "open"
        await venue.price("BTC/USDT", trigger)
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert (found["status"], found["average"]) == ("closed", average)


async def test_a_post_only_order_rests_or_is_refused() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        with pytest.raises(ccxt.OrderImmediatelyFillable):
            await client.create_order("BTC/USDT", "limit", "buy", 0.01, 46_000, {"postOnly": True})
        order = await client.create_order(
            "BTC/USDT", "limit", "buy", 0.01, 45_999, {"postOnly": True}
        )
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert (found["status"], found["postOnly"]) == ("open", True)


RAW = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"quantity": "0.000015", "price": "45000"}, ccxt.InvalidOrder),
        ({"quantity": "9001", "price": "45000"}, ccxt.InvalidOrder),
        ({"quantity": "0", "price": "45000"}, ccxt.InvalidOrder),
        ({"quantity": "0.01", "price": "45000.001"}, ccxt.InvalidOrder),
        ({"quantity": "0.01", "price": "0"}, ccxt.InvalidOrder),
        ({"quantity": "0.0001", "price": "45000"}, ccxt.BadRequest),
        ({"quantity": "1", "price": "45000"}, ccxt.InsufficientFunds),
        ({"quantity": "2", "price": "47000", "side": "SELL"}, ccxt.InsufficientFunds),
        ({"quantity": "0.01", "price": "45000", "symbol": "XXXUSDT"}, ccxt.BadSymbol),
        ({"quantity": "0.01", "price": "1e5"}, ccxt.BadRequest),
        ({"quantity": "NaN", "price": "45000"}, ccxt.BadRequest),
        ({"quantity": "0.01"}, ccxt.BadRequest),
        ({"quantity": "0.01", "price": "45000", "side": "HOLD"}, ccxt.BadRequest),
        ({"quantity": "0.01", "price": "45000", "type": "MAGIC"}, ccxt.BadRequest),
        ({"quantity": "0.01", "price": "45000", "newClientOrderId": "ä"}, ccxt.BadRequest),
        (
            {"quantity": "0.01", "type": "STOP_LOSS", "stopPrice": "46500", "side": "SELL"},
            ccxt.OrderImmediatelyFillable,
        ),
    ],
)
async def test_a_refused_order_moves_nothing(
    fields: dict[str, str], error: type[Exception]
) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        with pytest.raises(error):
            await client.private_post_order({**RAW, **fields})
        with pytest.raises(error):
            await client.private_post_order_test({**RAW, **fields})
        truth = await venue.dump()
        assert (truth["orders"], truth["trades"]) == ([], [])
        assert truth["balances"]["USDT"] == {"free": "10000", "used": "0"}
        assert [row["verdict"] for row in truth["requests"]] == ["refused"]


async def test_an_order_test_checks_and_places_nothing() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        answer = await client.private_post_order_test({**RAW, "quantity": "0.01", "price": "45000"})
        assert answer == {}
        assert (await venue.dump())["orders"] == []


async def test_a_client_id_is_unique_among_open_orders_only() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        params = {"clientOrderId": "mine"}
        first = await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000, params)
        with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
            await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000, params)
        await client.cancel_order(first["id"], "BTC/USDT")
        second = await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000, params)
        found = await client.fetch_order("", "BTC/USDT", params)
        assert found["id"] == second["id"] != first["id"]


async def test_cancelling_gives_the_money_back_and_cannot_be_done_twice() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        order = await client.create_order("BTC/USDT", "limit", "buy", 0.01, 45_000)
        assert (await client.cancel_order(order["id"], "BTC/USDT"))["status"] == "canceled"
        assert Decimal((await venue.dump())["balances"]["USDT"]["used"]) == 0
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order(order["id"], "BTC/USDT")
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order("999", "BTC/USDT")


async def test_all_open_orders_of_a_symbol_go_at_once() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        for price in (45_000, 44_000):
            await client.create_order("BTC/USDT", "limit", "buy", 0.01, price)
        assert len(await client.fetch_open_orders("BTC/USDT")) == 2
        await client.cancel_all_orders("BTC/USDT")
        assert await client.fetch_open_orders("BTC/USDT") == []
        assert [o["status"] for o in await client.fetch_orders("BTC/USDT")] == ["canceled"] * 2


async def test_own_trades_page_by_id_and_by_time() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        for _ in range(5):
            await client.create_order("BTC/USDT", "market", "buy", 0.001)
        everything = await client.fetch_my_trades("BTC/USDT", None, 9, {"fromId": 1})
        page = await client.fetch_my_trades("BTC/USDT", None, 2, {"fromId": 2})
        assert [trade["id"] for trade in page] == ["2", "3"]
        assert [t["id"] for t in await client.fetch_my_trades("BTC/USDT", None, 2)] == ["4", "5"]
        since = page[0]["timestamp"]
        first = await client.fetch_my_trades("BTC/USDT", since, 1)
        assert first[0]["timestamp"] >= since
        day = 86_400_000
        oldest = everything[0]["timestamp"]
        until = {"until": oldest - 1}
        assert await client.fetch_my_trades("BTC/USDT", oldest - day, 9, until) == []
        until = {"until": oldest}
        first = await client.fetch_my_trades("BTC/USDT", oldest - day + 1, 1, until)
        assert first == everything[:1]
        with pytest.raises(ccxt.BadRequest):
            await client.fetch_my_trades("BTC/USDT", since - day - 1, 9, {"until": since})
        with pytest.raises(ccxt.BadRequest):
            await client.fetch_my_trades("BTC/USDT", since, 9, {"fromId": 1})


async def test_money_of_eighteen_places_is_kept_exactly() -> None:
    async with rehearsal() as venue:
        funds = {"USDT": "2000000", "DAI": "1234567.123456789012"}
        account = {"api_key": "rich", "api_secret": "secret-1", "balances": funds}
        await venue.call("POST", "/_account", account)
        client = await ready(venue, key="rich")
        order = {"symbol": "DAIUSDT", "side": "BUY", "type": "MARKET"}
        for quantity in ("1234567.123456789012", "0.000000000000000001"):
            await client.private_post_order({**order, "quantity": quantity})
        truth = await venue.dump("rich")
        assert [t["quantity"] for t in truth["trades"]] == [
            "1234567.123456789012", "0.000000000000000001",
        ]  # fmt: skip
        commission = Decimal("1234.567123456789012")
        bought = Decimal("1234567.123456789012") + Decimal("0.000000000000000001")
        assert Decimal(truth["balances"]["DAI"]["free"]) == (
            Decimal("1234567.123456789012") + bought - commission
        )
        assert Decimal(truth["balances"]["USDT"]["free"]) == Decimal(2_000_000) - bought


def test_unmodified_sync_ccxt_trades_too() -> None:
    with SimulatorThread(SimulatorConfig(price_mode="fixed")) as venue:
        client = sync_client(venue.url)
        try:
            order = client.create_order("BTC/USDT", "market", "buy", 0.01)
            assert (order["status"], order["average"]) == ("closed", 46000)
            resting = client.create_order("BTC/USDT", "limit", "buy", 0.01, 40_000)
            assert client.fetch_open_orders("BTC/USDT")[0]["id"] == resting["id"]
            client.cancel_order(resting["id"], "BTC/USDT")
            assert client.fetch_balance()["BTC"]["free"] == 0.00999
            with pytest.raises(ccxt.InsufficientFunds):
                client.create_order("BTC/USDT", "market", "buy", 1)
        finally:
            client.session.close()
