"""What accounts at one venue share: one load and its failure, fresh markets, the clock, a ban."""

import asyncio
import ssl
from collections.abc import Awaitable
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from common.clock import now_ms
from exchanges import connection as module
from exchanges.connection import VenueConnection
from exchanges.gateway import AccountRef, Gateway
from exchanges.limiter import VenueLimiter
from exchanges.outcomes import NOT_SENT, VenueError
from exchanges.venues import resolve
from tests.waiting import PATIENCE, await_until

STEPS = {"amount": "0.001", "price": "0.01"}


class FakeVenue:
    """What the venue says at present, and how often it was asked."""

    def __init__(self) -> None:
        self.loads = 0
        self.clock_readings = 0
        self.clock_behind_ms = 0
        self.failure: Exception | None = None
        self.step = "0.001"

    def exchange(self) -> "FakeExchange":
        return FakeExchange(self)


class FakeExchange:
    """The part of a ccxt exchange that a connection uses."""

    rateLimit = 1
    precisionMode = 4

    def __init__(self, venue: FakeVenue) -> None:
        self._venue = venue
        self.has = {"fetchTime": True}
        self.options: dict[str, Any] = {"timeDifference": 0}
        self.markets: dict[str, Any] | None = None

    async def load_markets(self) -> None:
        self._venue.loads += 1
        await asyncio.sleep(0.01)
        if self._venue.failure:
            raise self._venue.failure
        self.markets = {
            "BTC/USDT": {
                "symbol": "BTC/USDT",
                "base": "BTC",
                "quote": "USDT",
                "precision": {"amount": self._venue.step, "price": "0.01"},
            }
        }

    async def fetch_time(self) -> int:
        self._venue.clock_readings += 1
        return now_ms() - self._venue.clock_behind_ms

    def set_markets_from_exchange(self, other: "FakeExchange") -> None:
        self.markets = other.markets


class Connection(VenueConnection):
    """A connection to the fake venue."""

    def __init__(self, venue: FakeVenue) -> None:
        self._fake = venue
        super().__init__(resolve("binance"), "spot", None, ssl.create_default_context())  # type: ignore[arg-type]
        self.limiter = VenueLimiter(1000, 1000)

    def _bare_exchange(self, credentials: dict[str, str] | None = None, *_: Any) -> Any:
        return self._fake.exchange()


@pytest.fixture
def venue() -> FakeVenue:
    return FakeVenue()


async def outcomes(calls: list[Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_many_callers_at_a_dead_venue_share_one_attempt(venue: FakeVenue) -> None:
    connection = Connection(venue)
    venue.failure = ccxt.RequestTimeout("no answer")
    found = await outcomes([connection.public() for _ in range(20)])
    assert {type(each) for each in found} == {VenueError}
    with pytest.raises(VenueError):
        await connection.public()
    assert venue.loads == 1


async def test_a_dead_venue_is_tried_again_after_a_while(
    venue: FakeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAILURE_SHARED_SECONDS", 0.0)
    connection = Connection(venue)
    venue.failure = ccxt.RequestTimeout("no answer")
    await outcomes([connection.public()])
    venue.failure = None
    assert (await connection.public()).markets


async def test_a_caller_who_gives_up_does_not_end_the_load_of_the_others(venue: FakeVenue) -> None:
    connection = Connection(venue)
    hasty = asyncio.create_task(connection.public())
    patient = asyncio.create_task(connection.public())
    await asyncio.sleep(0)
    hasty.cancel()
    assert (await patient).markets
    assert venue.loads == 1


async def test_old_markets_are_renewed_behind_a_call_and_reach_every_client(
    venue: FakeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(venue)
    await connection.public()
    client_exchange = connection.new_exchange()
    venue.step = "0.1"
    connection.prepare(client_exchange)
    assert venue.loads == 1
    monkeypatch.setattr(module, "MARKETS_MAX_AGE_SECONDS", -1.0)
    connection.prepare(client_exchange)
    await await_until(lambda: venue.loads == 2 and client_exchange.markets is not None)
    monkeypatch.undo()
    await await_until(
        lambda: (connection._public.markets or {})["BTC/USDT"]["precision"]["amount"] == "0.1"
    )
    connection.prepare(client_exchange)
    assert client_exchange.markets is connection._public.markets


async def test_who_wants_fresh_rules_waits_for_them(venue: FakeVenue) -> None:
    connection = Connection(venue)
    assert (await connection.rules("BTC/USDT")).amount_step == Decimal("0.001")
    venue.step = "0.1"
    assert (await connection.rules("BTC/USDT", max_age=600)).amount_step == Decimal("0.001")
    assert (await connection.rules("BTC/USDT", max_age=-1)).amount_step == Decimal("0.1")


async def test_a_refusal_for_the_clock_has_it_read_again_but_not_at_every_refusal(
    venue: FakeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(venue)
    await connection.public()
    venue.clock_behind_ms = 5_000

    async def refuse() -> None:
        raise ccxt.InvalidNonce('binance {"code":-1021,"msg":"ahead of the server time"}')

    await outcomes([connection.call(refuse())])
    await asyncio.sleep(0.02)
    assert venue.clock_readings == 1
    monkeypatch.setattr(module, "CLOCK_PAUSE_SECONDS", -1.0)
    await outcomes([connection.call(refuse())])
    await await_until(lambda: venue.clock_readings == 2)
    await await_until(lambda: abs(connection.clock_offset_ms - 5_000) < 100)
    exchange = connection.new_exchange()
    assert exchange.options["timeDifference"] == connection.clock_offset_ms


async def test_the_clock_is_read_again_when_the_reading_is_old(
    venue: FakeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(venue)
    exchange = await connection.public()
    monkeypatch.setattr(module, "CLOCK_MAX_AGE_SECONDS", -1.0)
    monkeypatch.setattr(module, "CLOCK_PAUSE_SECONDS", -1.0)
    connection.prepare(exchange)
    await await_until(lambda: venue.clock_readings == 2)


async def test_a_request_that_waited_does_not_go_out_under_a_ban_that_came_meanwhile(
    venue: FakeVenue,
) -> None:
    connection = Connection(venue)
    connection.limiter = VenueLimiter(20, 1)
    sent: list[int] = []

    async def send(number: int) -> int:
        sent.append(number)
        return number

    queued = [asyncio.create_task(connection.call(send(number))) for number in range(4)]
    await asyncio.sleep(0)
    connection.limiter.ban(5)
    found = await outcomes(list(queued))
    assert sent == [0]
    assert [(each.outcome, each.code) for each in found[1:]] == [(NOT_SENT, "venue_banned")] * 3


def test_an_account_has_one_client_however_many_ask_at_once(
    venue: FakeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway()
    account = AccountRef(5, "binance", "spot", "paper", 1)

    async def connect(*_: object) -> Connection:
        return made

    async def ask() -> list[Any]:
        return await outcomes([gateway.client(account) for _ in range(20)])

    try:
        made = gateway.run(_made(venue))
        monkeypatch.setattr(gateway, "connection", connect)
        clients = gateway.run(ask())
        assert len({id(client) for client in clients}) == 1
        assert venue.loads == 1
    finally:
        gateway.close()


async def _made(venue: FakeVenue) -> Connection:
    return Connection(venue)


async def test_who_can_wait_lets_those_go_first_who_cannot(venue: FakeVenue) -> None:
    connection = Connection(venue)
    connection.limiter = VenueLimiter(50, 2)
    sent: list[str] = []

    async def send(name: str) -> None:
        sent.append(name)

    async def poll(name: str) -> None:
        module.is_patient.set(True)
        await connection.call(send(name))

    polls = [asyncio.create_task(poll(f"poll {number}")) for number in range(3)]
    await asyncio.sleep(0)
    await outcomes([connection.call(send(f"order {number}")) for number in range(3)])
    await outcomes(list(polls))
    assert sent == ["poll 0", "order 0", "order 1", "order 2", "poll 1", "poll 2"]


async def test_a_budget_of_one_serves_those_who_can_wait_too() -> None:
    limiter = VenueLimiter(1000, 1)
    for _ in range(3):
        await limiter.acquire_patiently()
    assert limiter.take_spare(1) is False


async def test_who_can_wait_is_served_beside_a_rush_that_does_not_end() -> None:
    limiter = VenueLimiter(200, 4)
    rushed = 0

    async def rush() -> None:
        nonlocal rushed
        while True:
            await limiter.acquire()
            rushed += 1

    rushing = [asyncio.create_task(rush()) for _ in range(8)]
    async with asyncio.timeout(PATIENCE):
        for _ in range(5):
            await limiter.acquire_patiently()
    assert rushed > 5
    for task in rushing:
        task.cancel()
    await asyncio.gather(*rushing, return_exceptions=True)
