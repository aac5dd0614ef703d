"""The plan of faults: windows, ranges, bursts, profiles, and what they do to the next request."""

import asyncio
from typing import Any

import ccxt.async_support as ccxt
import pytest

from exchanges.simulator.fault_kinds import KINDS, PROFILES, Call
from exchanges.simulator.faults import FaultPlan
from tests.exchanges.simulator_harness import Rehearsal, rehearsal

ORDER = Call("POST", "/api/v3/order", "key-1", "BTCUSDT", "id-1")


async def ready(venue: Rehearsal) -> Any:
    client = venue.client()
    await client.load_markets()
    return client


async def buy(client: Any) -> Any:
    return await client.create_order("BTC/USDT", "market", "buy", 0.01)


async def answered(client: Any) -> bool:
    try:
        await client.fetch_balance()
    except ccxt.DDoSProtection:
        return False
    return True


def test_a_window_strikes_every_call_while_it_lasts_and_none_outside() -> None:
    plan = FaultPlan()
    body = {"windows": [{"kind": "clock_skew", "start_s": 1, "seconds": 2}]}
    plan.add(body, 10_000)
    struck = [
        at
        for at in (10_999, 11_000, 12_000, 12_999, 13_000)
        if plan.strike(frozenset({"clock_skew"}), ORDER, at)
    ]
    assert struck == [11_000, 12_000, 12_999]
    assert plan.to_json()["fired_counts"] == {"clock_skew": 3}


def test_a_parameter_given_as_a_range_is_drawn_anew_and_alike_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[int]:
        rule = {"kind": "late_accept", "times": 5, "params": {"ms": [200, 2000]}}
        plan = FaultPlan({"seed": seed, "script": [rule]})
        faults = [plan.strike(frozenset({"late_accept"}), ORDER, 0) for _ in range(5)]
        return [fault.params["ms"] for fault in faults if fault]

    assert len(set(drawn(7))) == 5
    assert all(200 <= ms <= 2000 for ms in drawn(7))
    assert drawn(7) == drawn(7) != drawn(8)


def test_the_soak_profile_names_known_kinds_and_may_be_overlaid() -> None:
    plan = FaultPlan({"profile": "soak", "seed": 3, "probabilities": {"rst_after": 1}})
    assert plan.probabilities == {"rst_after": 1}
    assert plan.params["late_accept"] == {"window_share": 0.5}
    assert (len(plan.windows), len(plan.timed), plan.seed) == (2, 4, 3)
    assert PROFILES["soak"]["probabilities"].keys() <= KINDS


@pytest.mark.parametrize(
    "body",
    [
        {"profile": "gentle"},
        {"windows": [{"kind": "gremlin", "seconds": 1}]},
        {"timed": [{"kind": "rst_after", "every_s": 1}]},
    ],
)
def test_an_unknown_word_changes_nothing(body: dict[str, Any]) -> None:
    plan = FaultPlan()
    with pytest.raises(ValueError, match="unknown"):
        plan.add({"probabilities": {"rst_after": 1}, **body}, 0)
    assert plan.is_empty
    assert plan.timed == []


def test_what_comes_by_the_clock_comes_again() -> None:
    plan = FaultPlan({"timed": [{"kind": "ws_cut", "every_s": 2}]}, now_ms=0)
    kinds = [[f.kind for f in plan.due(at)] for at in (1999, 2000, 3000, 4000)]
    assert kinds == [[], ["ws_cut"], [], ["ws_cut"]]


@pytest.mark.parametrize(("kind", "status"), [("burst_429", 429), ("burst_418", 418)])
async def test_a_burst_refuses_one_key_until_it_has_waited(kind: str, status: int) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        other = venue.client(key="key-2")
        await other.load_markets()
        match = {"path": "/api/v3/order"}
        rule = {"kind": kind, "match": match, "params": {"retry_after": 1}}
        await venue.call("POST", "/_fault", {"script": [rule]})
        with pytest.raises(ccxt.DDoSProtection, match=str(status)):
            await buy(client)
        with pytest.raises(ccxt.DDoSProtection, match=str(status)):
            await client.fetch_balance()
        assert client.last_response_headers["Retry-After"] == "1"
        await buy(other)
        async with asyncio.timeout(10):
            while not await answered(client):
                await asyncio.sleep(0.2)
        await buy(client)
        counts = (await venue.call("GET", "/_fault"))["fired_counts"]
        assert counts[kind] == 1
        assert counts[str(status)] >= 1


async def test_a_burst_ends_after_so_many_refusals() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await venue.fault("burst_429", times=3, retry_after=60)
        for _ in range(3):
            with pytest.raises(ccxt.DDoSProtection):
                await buy(client)
        await buy(client)
        assert len((await venue.dump())["orders"]) == 1


async def test_a_key_revoked_by_a_fault_stays_revoked() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await venue.fault("key_revoked")
        for _ in range(2):
            with pytest.raises(ccxt.BaseError, match="-2015"):
                await buy(client)
        assert [r["verdict"] for r in (await venue.dump())["requests"]] == [
            "not_accepted", "refused",
        ]  # fmt: skip
        await venue.call("POST", "/_account/restore", {"api_key": "key-1"})
        await buy(client)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refuse_precision", ccxt.BadRequest),
        ("refuse_notional", ccxt.BadRequest),
        ("refuse_max_quantity", ccxt.InvalidOrder),
        ("refuse_balance", ccxt.InsufficientFunds),
        ("refuse_post_only", ccxt.OrderImmediatelyFillable),
        ("refuse_reduce_only", ccxt.BaseError),
    ],
)
async def test_a_refusal_out_of_the_blue_is_final_and_places_nothing(
    kind: str, error: type[Exception]
) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await venue.fault(kind)
        with pytest.raises(error):
            await buy(client)
        truth = await venue.dump()
        assert truth["orders"] == []
        assert (truth["requests"][0]["verdict"], truth["requests"][0]["fault"]) == ("refused", kind)


@pytest.mark.parametrize("offset", [30_000, -30_000])
async def test_a_wrong_clock_lasts_for_its_window(offset: int) -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        window = {"kind": "clock_skew", "seconds": 1, "params": {"offset_ms": offset}}
        await venue.call("POST", "/_fault", {"windows": [window]})
        with pytest.raises(ccxt.InvalidNonce):
            await buy(client)
        shown = await client.fetch_time() - client.milliseconds()
        assert abs(shown - offset) < 5000
        async with asyncio.timeout(10):
            while abs(await client.fetch_time() - client.milliseconds()) > 5000:
                await asyncio.sleep(0.1)
        await buy(client)
        assert len((await venue.dump())["orders"]) == 1


async def test_a_request_late_beyond_its_window_is_taken_only_where_there_is_none() -> None:
    async with rehearsal() as venue:
        client = await ready(venue)
        await venue.call(
            "POST", "/_fault", {"probabilities": {"late_beyond": 1}, "params": {
                "late_beyond": {"ms": 3_600_000, "answer": "http_504_before"}}},
        )  # fmt: skip
        await buy(client)
        body = {"api_key": "key-1", "api_secret": "secret-1", "client_ids": "no_window"}
        await venue.call("POST", "/_account", body)
        with pytest.raises(ccxt.RequestTimeout):
            await buy(client)
        assert len((await venue.dump())["orders"]) == 1
        venue.go_on(60)
        await venue.let_arrive()
        assert len((await venue.dump())["orders"]) == 2
