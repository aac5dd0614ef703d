"""What USD-M futures refuse, and the settings that decide it."""

from typing import Any

import ccxt.async_support as ccxt
import pytest

from exchanges.redirect import RedirectSession
from exchanges.venues import Venue
from tests.exchanges.simulator_harness import Rehearsal, rehearsal

BTC = "BTC/USDT:USDT"


async def ready(venue: Rehearsal) -> Any:
    client = venue.futures_client()
    await client.load_markets()
    return client


async def positions(venue: Rehearsal) -> list[tuple[str, str]]:
    rows = (await venue.dump())["futures"]["positions"]
    return [(p["side"], p["quantity"]) for p in rows]


@pytest.mark.parametrize(
    ("leverage", "amount", "code", "error"),
    [
        (1, 0.3, "-2019", ccxt.InsufficientFunds),
        (125, 1.2, "-2027", ccxt.OperationRejected),
    ],
)
async def test_too_large_an_order_is_refused_by_margin_or_by_leverage(
    leverage: int, amount: float, code: str, error: type[Exception]
) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.set_leverage(leverage, BTC)
        with pytest.raises(error, match=code):
            await client.create_order(BTC, "market", "buy", amount)
        truth = (await venue.dump())["futures"]
        assert (truth["orders"], truth["positions"], truth["wallet"]) == ([], [], "10000")


async def test_through_a_declared_venue_the_error_tables_of_usd_m_apply() -> None:
    async with rehearsal() as venue:
        declared = Venue(name="rehearsal", ccxt_id="binanceusdm", base_url=venue.server.url)
        client = ccxt.binanceusdm({
            "apiKey": "key-1", "secret": "secret-1",
            "session": RedirectSession(venue.http, declared),
            "options": {"fetchMarkets": {"types": ["linear"]}, "fetchCurrencies": False},
        })  # fmt: skip
        client.options["fetchMargins"] = False
        await client.set_leverage(125, BTC)
        with pytest.raises(ccxt.OperationRejected, match="-2027"):
            await client.create_order(BTC, "market", "buy", 1.2)
        with pytest.raises(ccxt.InvalidOrder, match="-2022"):
            await client.create_order(BTC, "market", "sell", 0.1, None, {"reduceOnly": True})
        await client.close()


async def test_a_reduce_only_order_needs_a_position_and_closes_no_more_than_there_is() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        params = {"reduceOnly": True}
        with pytest.raises(ccxt.InvalidOrder, match="-2022"):
            await client.create_order(BTC, "market", "sell", 0.1, None, params)
        await client.create_order(BTC, "market", "buy", 0.1)
        with pytest.raises(ccxt.InvalidOrder, match="-2022"):
            await client.create_order(BTC, "market", "buy", 0.1, None, params)
        order = await client.create_order(BTC, "market", "sell", 0.3, None, params)
        assert (order["status"], order["filled"]) == ("expired", 0.1)
        assert await positions(venue) == []


async def test_hedged_positions_stand_side_by_side() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await client.set_position_mode(True)
        assert (await client.fetch_position_mode())["hedged"] is True
        await client.create_order(BTC, "market", "buy", 0.2, None, {"positionSide": "LONG"})
        await client.create_order(BTC, "market", "sell", 0.1, None, {"hedged": True})
        assert await positions(venue) == [("LONG", "0.2"), ("SHORT", "-0.1")]
        sides = {(p["side"], p["contracts"], p["hedged"]) for p in await client.fetch_positions()}
        assert sides == {("long", 0.2, True), ("short", 0.1, True)}
        close = {"hedged": True, "reduceOnly": True}
        await client.create_order(BTC, "market", "sell", 0.2, None, close)
        assert await positions(venue) == [("SHORT", "-0.1")]
        with pytest.raises(ccxt.InvalidOrder, match="-2022"):
            await client.create_order(BTC, "market", "buy", 0.2, None, close)


async def test_a_hedged_account_wants_a_side_and_no_reduce_only_mark() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        with pytest.raises(ccxt.BaseError, match="-4061"):
            await client.create_order(BTC, "market", "buy", 0.1, None, {"positionSide": "LONG"})
        await client.set_position_mode(True)
        with pytest.raises(ccxt.BaseError, match="-4061"):
            await client.create_order(BTC, "market", "buy", 0.1)
        params = {"positionSide": "SHORT", "reduceOnly": True}
        with pytest.raises(ccxt.BadRequest, match="-1106"):
            await client.create_order(BTC, "market", "buy", 0.1, None, params)
        assert (await venue.dump())["futures"]["orders"] == []


async def test_settings_stand_while_orders_or_positions_do() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        order = await client.create_order(BTC, "limit", "buy", 0.1, 45_000)
        for code, change in (
            ("-4067", client.set_position_mode(True)),
            ("-4047", client.set_margin_mode("isolated", BTC)),
        ):
            with pytest.raises(ccxt.BaseError, match=code):
                await change
        await client.cancel_order(order["id"], BTC)
        await client.create_order(BTC, "market", "buy", 0.1)
        for code, change in (
            ("-4068", client.set_position_mode(True)),
            ("-4048", client.set_margin_mode("isolated", BTC)),
        ):
            with pytest.raises(ccxt.BaseError, match=code):
                await change
        with pytest.raises(ccxt.BaseError, match="-4059"):
            await client.set_position_mode(False)
        with pytest.raises(ccxt.MarginModeAlreadySet):
            await client.set_margin_mode("cross", BTC)


@pytest.mark.parametrize(
    ("amount", "price", "params", "code"),
    [
        (0.1, 46_000, {"postOnly": True}, "-5022"),
        (0.001, 1000, {}, "-4164"),
        (5000, 45_000, {}, "-1111"),
    ],
)
async def test_filters_answer_with_the_codes_of_usd_m(
    amount: float, price: float, params: dict[str, Any], code: str
) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        with pytest.raises(ccxt.BaseError, match=code):
            await client.create_order(BTC, "limit", "buy", amount, price, params)
        assert (await venue.dump())["futures"]["orders"] == []


async def test_a_client_id_in_use_is_refused_with_its_own_code() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        params = {"clientOrderId": "mine"}
        await client.create_order(BTC, "limit", "buy", 0.1, 45_000, params)
        with pytest.raises(ccxt.InvalidOrder, match="-4116"):
            await client.create_order(BTC, "limit", "buy", 0.1, 45_000, params)
        assert len((await venue.dump())["futures"]["orders"]) == 1


async def test_faults_strike_contracts_too() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await venue.fault("refuse_reduce_only")
        with pytest.raises(ccxt.InvalidOrder, match="-2022"):
            await client.create_order(BTC, "market", "buy", 0.1)
        await venue.fault("rst_after")
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await client.create_order(BTC, "market", "buy", 0.1)
        assert await positions(venue) == [("BOTH", "0.1")]
