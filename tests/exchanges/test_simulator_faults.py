"""Every fault the simulator injects, as unmodified async ccxt sees it, and what is then true."""

from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.exchanges.simulator_harness import Rehearsal, rehearsal
from tests.waiting import await_until

QUICK = {"seconds": 0.05}


async def buy(client: Any, client_id: str = "id-1") -> Any:
    return await client.create_order(
        "BTC/USDT", "market", "buy", 0.01, None, {"clientOrderId": client_id}
    )


async def orders_of(venue: Rehearsal) -> list[str]:
    return [order["clientOrderId"] for order in (await venue.dump())["orders"]]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("hang_before", ccxt.ExchangeNotAvailable),
        ("rst_before", ccxt.ExchangeNotAvailable),
        ("close_before", ccxt.ExchangeNotAvailable),
        ("http_502_before", ccxt.ExchangeNotAvailable),
        ("e1001_before", ccxt.OperationFailed),
        ("e1008_before", ccxt.OperationFailed),
        ("429", ccxt.DDoSProtection),
        ("418", ccxt.DDoSProtection),
        ("stale_refused", ccxt.ExchangeNotAvailable),
    ],
)
async def test_a_fault_before_acceptance_leaves_no_order(kind: str, error: type[Exception]) -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.call(
            "POST",
            "/_fault",
            {"script": [{"kind": kind, "match": {"path": "/api/v3/order"}, "params": QUICK}]},
        )
        with pytest.raises(error):
            await buy(client)
        truth = await venue.dump()
        assert truth["orders"] == []
        assert [row["verdict"] for row in truth["requests"]] == ["not_accepted"]
        assert truth["requests"][0]["fault"] == kind
        assert truth["balances"]["USDT"] == {"free": "10000", "used": "0"}
        assert (await buy(client))["filled"] == 0.01


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rst_after", ccxt.ExchangeNotAvailable),
        ("close_after", ccxt.ExchangeNotAvailable),
        ("cut_body_after", ccxt.ExchangeError),
        ("http_502_after", ccxt.ExchangeNotAvailable),
        ("http_503_after", ccxt.ExchangeNotAvailable),
        ("http_504_after", ccxt.RequestTimeout),
        ("e1000_after", ccxt.OperationFailed),
        ("e1006_after", ccxt.OperationFailed),
        ("e1007_after", ccxt.RequestTimeout),
        ("unmapped_400_after", ccxt.ExchangeError),
    ],
)
async def test_a_fault_after_acceptance_leaves_one_filled_order(
    kind: str, error: type[Exception]
) -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.fault(kind)
        with pytest.raises(error):
            await buy(client)
        truth = await venue.dump()
        assert [(o["clientOrderId"], o["status"]) for o in truth["orders"]] == [("id-1", "FILLED")]
        assert len(truth["trades"]) == 1
        assert truth["requests"][0]["verdict"] == "accepted"
        assert truth["requests"][0]["fault"] == kind
        found = await client.fetch_order("", "BTC/USDT", {"clientOrderId": "id-1"})
        assert found["status"] == "closed"


@pytest.mark.parametrize("kind", ["bad_json_after", "html_after", "empty_after", "no_id_after"])
async def test_an_unreadable_answer_comes_back_without_an_id(kind: str) -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.fault(kind)
        assert (await buy(client))["id"] is None
        assert await orders_of(venue) == ["id-1"]


async def test_a_page_instead_of_the_order_comes_back_without_an_id_and_nothing_was_placed() -> (
    None
):
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.fault("html_before")
        assert (await buy(client))["id"] is None
        assert await orders_of(venue) == []


async def test_a_client_gives_up_on_a_hang_after_acceptance_and_the_order_stands() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        client.timeout = 100
        await venue.fault("hang_after", seconds=1)
        with pytest.raises(ccxt.RequestTimeout):
            await buy(client)
        await await_until(lambda: orders_of(venue))
        assert await orders_of(venue) == ["id-1"]


async def test_a_patient_client_gets_the_answer_after_a_hang() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.fault("hang_after", seconds=0.05)
        assert (await buy(client))["status"] == "closed"


async def test_a_late_acceptance_places_the_order_after_the_failure() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.fault("late_accept", ms=3_600_000, answer="http_504_after")
        with pytest.raises(ccxt.RequestTimeout):
            await buy(client)
        assert await orders_of(venue) == []
        await venue.let_arrive()
        truth = await venue.dump()
        assert truth["orders"][0]["status"] == "FILLED"
        assert truth["requests"][0]["verdict"] == "accepted"


async def test_a_revoked_key_is_refused_until_it_is_restored() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.call("POST", "/_account/revoke", {"api_key": "key-1"})
        with pytest.raises(ccxt.AuthenticationError):
            await buy(client)
        await venue.call("POST", "/_account/restore", {"api_key": "key-1"})
        assert (await buy(client))["status"] == "closed"
        await venue.fault("revoked")
        with pytest.raises(ccxt.DDoSProtection):
            await buy(client, "id-2")
        assert await orders_of(venue) == ["id-1"]


async def test_a_skewed_clock_refuses_orders_and_shows_in_the_time() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        rule = {"kind": "clock_skew", "times": -1, "params": {"offset_ms": 30_000}}
        await venue.call("POST", "/_fault", {"script": [rule]})
        with pytest.raises(ccxt.InvalidNonce):
            await buy(client)
        before = client.milliseconds()
        shown = await client.fetch_time()
        assert before + 30_000 <= shown <= client.milliseconds() + 30_000
        await venue.call("DELETE", "/_fault")
        assert (await buy(client))["status"] == "closed"


async def test_a_stale_query_does_not_see_a_young_order() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        order = await buy(client)
        rule = {"kind": "stale_query", "times": 2, "params": {"ms": 60_000}}
        await venue.call("POST", "/_fault", {"script": [rule]})
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order(order["id"], "BTC/USDT")
        assert await client.fetch_my_trades("BTC/USDT") == []
        assert len(await client.fetch_my_trades("BTC/USDT")) == 1


async def test_partial_parts_fill_in_that_many_trades() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.fault("partial_parts", n=3)
        order = await buy(client)
        assert [trade["amount"] for trade in order["trades"]] == [0.00333, 0.00333, 0.00334]
        assert order["status"] == "closed"


async def test_parts_over_ticks_wait_for_the_next_price() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.fault("partial_parts", n=2, over_ticks=True)
        assert (await buy(client))["filled"] == 0.005
        await venue.price("BTC/USDT", "46100")
        truth = await venue.dump()
        assert [trade["price"] for trade in truth["trades"]] == ["46000", "46100"]
        assert truth["orders"][0]["status"] == "FILLED"


async def test_a_delayed_fill_is_accepted_at_once_and_filled_later() -> None:
    async with rehearsal() as venue:
        client = venue.client()
        await client.load_markets()
        await venue.fault("fill_delay", ms=500)
        order = await buy(client)
        assert (order["status"], order["filled"]) == ("open", 0)

        async def is_filled() -> bool:
            return bool((await venue.dump())["orders"][0]["status"] == "FILLED")

        await await_until(is_filled)


async def test_a_rule_strikes_only_what_it_matches_and_shows_what_fired() -> None:
    async with rehearsal() as venue:
        other = {"api_key": "key-2", "api_secret": "secret-2"}
        await venue.call("POST", "/_account", other)
        first, second = venue.client(), venue.client(key="key-2", secret="secret-2")
        await first.load_markets()
        await second.load_markets()
        rule = {
            "kind": "http_502_after",
            "match": {"method": "POST", "path": "/api/v3/order", "api_key": "key-2"},
        }
        await venue.call("POST", "/_fault", {"script": [rule]})
        await buy(first)
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await buy(second)
        plan = await venue.call("GET", "/_fault")
        assert plan["script"] == []
        assert plan["fired_counts"] == {"http_502_after": 1}
        assert plan["fired"][0]["client_id"] == "id-1"


async def test_probabilities_repeat_with_their_seed() -> None:
    runs = []
    for _ in range(2):
        async with rehearsal() as venue:
            client = venue.client()
            await client.load_markets()
            body = {"probabilities": {"http_502_after": 0.3, "rst_before": 0.2}, "seed": 7}
            await venue.call("POST", "/_fault", body)
            for number in range(20):
                try:
                    await buy(client, f"id-{number}")
                except ccxt.NetworkError:
                    continue
            truth = await venue.dump()
            runs.append([(row["verdict"], row.get("fault")) for row in truth["requests"]])
    assert runs[0] == runs[1]
    assert {fault for _, fault in runs[0]} == {None, "http_502_after", "rst_before"}


async def test_an_unknown_fault_kind_is_refused_whole() -> None:
    async with rehearsal() as venue:
        body = {"script": [{"kind": "rst_before"}, {"kind": "earthquake"}]}
        async with venue.http.post(venue.server.url + "/_fault", json=body) as response:
            assert response.status == 400
        assert (await venue.call("GET", "/_fault"))["script"] == []
