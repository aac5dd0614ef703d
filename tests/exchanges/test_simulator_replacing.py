"""Cancel-replace at the simulator: unmodified ccxt's edit_order, and both modes on the wire."""

from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.exchanges.simulator_harness import Rehearsal, rehearsal


async def resting(venue: Rehearsal) -> tuple[Any, Any]:
    """A client, and its order to buy 0.01 BTC at 45,000."""
    client = venue.client()
    await client.load_markets()
    order = await client.create_order(
        "BTC/USDT", "limit", "buy", 0.01, 45_000, {"clientOrderId": "first"}
    )
    return client, order


async def replace(client: Any, **fields: Any) -> Any:
    return await client.private_post_order_cancelreplace({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "0.02", "price": "44000", "newClientOrderId": "second",
        "cancelReplaceMode": "STOP_ON_FAILURE", **fields,
    })  # fmt: skip


async def statuses(venue: Rehearsal) -> list[tuple[str, str]]:
    return [(o["clientOrderId"], o["status"]) for o in (await venue.dump())["orders"]]


async def test_editing_an_order_ends_it_and_places_the_new_one() -> None:
    async with rehearsal() as venue:
        client, order = await resting(venue)
        edited = await client.edit_order(
            order["id"], "BTC/USDT", "limit", "buy", 0.02, 44_000, {"clientOrderId": "second"}
        )
        assert (edited["clientOrderId"], edited["amount"], edited["price"]) == (
            "second", 0.02, 44_000,
        )  # fmt: skip
        assert edited["status"] == "open"
        assert await statuses(venue) == [("first", "CANCELED"), ("second", "NEW")]
        truth = await venue.dump()
        assert truth["balances"]["USDT"] == {"free": "9120.00", "used": "880.00"}
        assert [(r["client_id"], r["verdict"]) for r in truth["requests"]] == [
            ("first", "accepted"), ("second", "accepted"),
        ]  # fmt: skip


async def test_stopping_on_failure_places_nothing_when_there_is_nothing_to_cancel() -> None:
    async with rehearsal() as venue:
        client, order = await resting(venue)
        await client.cancel_order(order["id"], "BTC/USDT")
        with pytest.raises(ccxt.BaseError, match='"code": -2022') as caught:
            await replace(client, cancelOrderId=order["id"])
        assert '"newOrderResult": "NOT_ATTEMPTED"' in str(caught.value)
        assert '"code": -2011' in str(caught.value)
        assert await statuses(venue) == [("first", "CANCELED")]
        assert (await venue.dump())["requests"][-1]["verdict"] == "refused"


async def test_allowing_failure_places_the_new_order_though_the_cancel_failed() -> None:
    async with rehearsal() as venue:
        client, order = await resting(venue)
        await client.cancel_order(order["id"], "BTC/USDT")
        with pytest.raises(ccxt.BaseError, match='"code": -2021') as caught:
            await replace(client, cancelOrderId=order["id"], cancelReplaceMode="ALLOW_FAILURE")
        assert '"cancelResult": "FAILURE"' in str(caught.value)
        assert await statuses(venue) == [("first", "CANCELED"), ("second", "NEW")]
        assert (await venue.dump())["requests"][-1]["verdict"] == "accepted"


async def test_allowing_failure_may_do_neither_half() -> None:
    async with rehearsal() as venue:
        client, _ = await resting(venue)
        with pytest.raises(ccxt.BaseError, match='"code": -2022') as caught:
            await replace(
                client, cancelOrderId="999", cancelReplaceMode="ALLOW_FAILURE", quantity="5"
            )
        assert '"code": -2010' in str(caught.value)
        assert await statuses(venue) == [("first", "NEW")]


async def test_the_old_order_is_gone_when_the_new_one_cannot_be_paid() -> None:
    async with rehearsal() as venue:
        client, order = await resting(venue)
        with pytest.raises(ccxt.BaseError, match='"code": -2021'):
            await replace(client, cancelOrderId=order["id"], quantity="5")
        assert await statuses(venue) == [("first", "CANCELED")]
        assert (await venue.dump())["balances"]["USDT"] == {"free": "10000.00", "used": "0.00"}


async def test_a_new_order_the_filters_forbid_leaves_the_old_one_working() -> None:
    async with rehearsal() as venue:
        client, order = await resting(venue)
        with pytest.raises(ccxt.InvalidOrder, match="LOT_SIZE"):
            await replace(client, cancelOrderId=order["id"], quantity="0.000001")
        assert await statuses(venue) == [("first", "NEW")]


async def test_the_old_order_may_be_named_by_its_client_id() -> None:
    async with rehearsal() as venue:
        client, _ = await resting(venue)
        answer = await replace(client, cancelOrigClientOrderId="first")
        assert (answer["cancelResult"], answer["newOrderResult"]) == ("SUCCESS", "SUCCESS")
        assert answer["cancelResponse"]["origClientOrderId"] == "first"


@pytest.mark.parametrize("kind", ["rst_after", "no_id_after"])
async def test_a_replacement_answered_badly_has_been_made(kind: str) -> None:
    async with rehearsal() as venue:
        client, order = await resting(venue)
        await venue.fault(kind)
        try:
            edited = await client.edit_order(
                order["id"], "BTC/USDT", "limit", "buy", 0.02, 44_000, {"clientOrderId": "second"}
            )
            assert (kind, edited["id"]) == ("no_id_after", None)
        except ccxt.ExchangeNotAvailable:
            assert kind == "rst_after"
        assert await statuses(venue) == [("first", "CANCELED"), ("second", "NEW")]
