"""Funding, isolated margin and liquidation at the simulator, and what outlives its restart."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchanges.simulator.config import SimulatorConfig
from exchanges.simulator.control import dump
from exchanges.simulator.engine import Engine
from tests.exchanges.simulator_harness import Rehearsal, rehearsal

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


async def ready(venue: Rehearsal) -> Any:
    client = venue.futures_client()
    await client.load_markets()
    return client


async def truth(venue: Rehearsal) -> dict[str, Any]:
    return dict((await venue.dump())["futures"])


async def wallet(venue: Rehearsal) -> Decimal:
    return Decimal((await truth(venue))["wallet"])


async def test_funding_is_paid_by_longs_and_got_by_shorts() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.create_order(BTC, "market", "buy", 0.1)
        paid = await venue.call("POST", "/_funding", {"symbol": BTC, "rate": "0.0001"})
        assert [(p["api_key"], Decimal(p["amount"])) for p in paid] == [
            ("key-1", Decimal("-0.46")),
        ]  # fmt: skip
        assert await wallet(venue) == Decimal("9997.24")
        await client.create_order(BTC, "market", "sell", 0.2)
        await venue.call("POST", "/_funding", {"symbol": BTC, "rate": "0.0001"})
        assert await wallet(venue) == Decimal("9993.1")
        rows = await client.fetch_funding_history(BTC)
        assert [r["amount"] for r in rows] == [-0.46, 0.46]


async def test_an_isolated_position_loses_no_more_than_its_margin() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.set_margin_mode("isolated", BTC)
        await client.set_leverage(10, BTC)
        await client.create_order(BTC, "market", "buy", 0.1)
        position = (await client.fetch_positions([BTC]))[0]
        assert (position["marginMode"], position["collateral"]) == ("isolated", 460)
        assert position["liquidationPrice"] == pytest.approx(41_566.27, abs=1)
        resting = await client.create_order(BTC, "limit", "sell", 0.1, 60_000)
        await venue.price(BTC, "41600")
        assert len((await truth(venue))["positions"]) == 1
        await venue.price(BTC, "41500")
        after = await truth(venue)
        assert after["positions"] == []
        theirs = after["orders"][-1]
        assert (theirs["side"], theirs["status"], theirs["quantity"]) == ("sell", "FILLED", "0.1")
        assert theirs["clientOrderId"].startswith("autoclose-")
        assert (await client.fetch_order(resting["id"], BTC))["status"] == "canceled"
        assert Decimal(after["wallet"]) == Decimal("10000") - Decimal("2.3") - 450 - Decimal(
            "2.075"
        )


async def test_a_cross_account_is_liquidated_when_its_whole_wallet_no_longer_carries_it() -> None:
    async with rehearsal() as venue:
        await venue.call(
            "POST", "/_account",
            {"api_key": "key-2", "api_secret": "secret-2", "futures": {"USDT": "1000"}},
        )  # fmt: skip
        client = venue.futures_client(key="key-2", secret="secret-2")  # noqa: S106
        await client.create_order(BTC, "market", "buy", 0.2)
        await client.create_order(ETH, "market", "sell", 0.1)
        await venue.price(BTC, "41300")
        assert len(await client.fetch_positions()) == 2
        await venue.price(BTC, "41100")
        after = (await venue.dump("key-2"))["futures"]
        assert after["positions"] == []
        assert [o["status"] for o in after["orders"]] == ["FILLED"] * 4
        fees = Decimal("4.6") + Decimal("0.185") + Decimal("4.11") + Decimal("0.185")
        assert Decimal(after["wallet"]) == 1000 - 980 - fees


async def test_a_gap_through_the_margin_leaves_an_empty_wallet_and_no_debt() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.create_order(BTC, "market", "buy", 2)
        await venue.price(BTC, "30000")
        after = await truth(venue)
        assert (after["positions"], Decimal(after["wallet"])) == ([], 0)
        assert after["income"][-1]["kind"] == "INSURANCE_CLEAR"
        total = sum(Decimal(i["amount"]) for i in after["income"])
        assert total == 0


async def test_a_liquidation_by_the_operator_closes_a_hedged_side() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.set_position_mode(True)
        await client.create_order(BTC, "market", "buy", 0.1, None, {"positionSide": "LONG"})
        body = {
            "api_key": "key-1", "symbol": BTC, "side": "sell", "quantity": "0.1",
            "position_side": "LONG", "reason": "liquidation",
        }  # fmt: skip
        assert (await venue.call("POST", "/_external", body))["status"] == "FILLED"
        assert (await truth(venue))["positions"] == []
        assert len((await venue.dump())["requests"]) == 1


async def test_the_wallet_is_the_sum_of_its_incomes() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        for side, amount, price in (
            ("buy", 0.3, "46123.45"), ("sell", 0.1, "47891.01"), ("sell", 0.7, "45001.99"),
            ("buy", 0.2, "46666.66"), ("buy", 0.3, "44444.44"),
        ):  # fmt: skip
            await venue.price(BTC, price)
            await client.create_order(BTC, "market", side, amount)
        await venue.call("POST", "/_funding", {"symbol": BTC, "rate": "-0.00037"})
        after = await truth(venue)
        assert after["positions"] == []
        assert sum(Decimal(i["amount"]) for i in after["income"]) == Decimal(after["wallet"])
        fills = sum(
            (1 if t["side"] == "sell" else -1) * Decimal(t["price"]) * Decimal(t["quantity"])
            for t in after["trades"]
        )
        fees = sum(Decimal(t["commission"]) for t in after["trades"])
        assert Decimal(after["wallet"]) == 10_000 + fills - fees


def whole(engine: Engine) -> dict[str, Any]:
    told = dump(engine)
    del told["at_ms"]
    return told


@pytest.mark.parametrize("clean", [True, False])
async def test_margin_books_outlive_the_simulator(tmp_path: Path, clean: bool) -> None:
    async with rehearsal(data=tmp_path / "live") as venue:
        client = await ready(venue)
        await client.set_leverage(7, BTC)
        await client.set_margin_mode("isolated", ETH)
        await client.create_order(BTC, "market", "buy", 0.3)
        await client.create_order(ETH, "market", "sell", 1)
        await client.create_order(BTC, "limit", "sell", 0.1, 50_000)
        await client.create_order(BTC, "market", "sell", 0.3, None, {"stopLossPrice": 40_000})
        await venue.call("POST", "/_funding", {"symbol": BTC, "rate": "0.0001"})
        before = whole(venue.server.engine)
        where = tmp_path / "live"
        if not clean:
            where = tmp_path / "killed"
            where.mkdir()
            for file in (tmp_path / "live").iterdir():
                (where / file.name).write_bytes(file.read_bytes())
    engine = Engine(SimulatorConfig(data=where, price_mode="fixed"))
    engine.open()
    assert whole(engine) == before
    engine.close()
