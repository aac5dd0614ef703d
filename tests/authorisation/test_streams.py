"""The stream of 003 and the socket of 000: who is let in, and nothing foreign is told."""

from typing import Any

import pytest
from channels.db import database_sync_to_async

from surfaces.live import feed
from surfaces.live.refusals import NOT_AUTHENTICATED, REFUSED_HEADERS
from tests.authorisation.callers import HOLDS, Caller, all_callers
from tests.authorisation.markers import mark
from tests.authorisation.test_leaks import HIDDEN
from tests.authorisation.worlds import start_numbers_high, whole_world
from tests.dashboard.world import World
from tests.management.sockets import close_code, socket, tell
from tests.server.event_streams import asked, opened
from trading.models import Command, Execution, Order

pytestmark = pytest.mark.django_db(transaction=True)

NO_ROW = 999_999_999
MARKET_ORDER = {
    "command": "send_order",
    "request_id": "request-1",
    "payload": {"symbol": "BTC/USDT", "side": "buy", "order_type": "market", "qty": "1"},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.02)


@database_sync_to_async
def _everybody() -> tuple[World, World, dict[str, Caller]]:
    start_numbers_high()
    world, other = whole_world("Acme"), whole_world("Other")
    return world, other, {each.name: each for each in all_callers(world, other)}


def headers_of(caller: Caller, join: str = "-") -> dict[str, str]:
    """The caller's credential as an open connection sends it."""
    return {
        name.removeprefix("HTTP_").lower().replace("_", join): text
        for name, text in caller.headers.items()
    }


async def test_the_stream_opens_to_whoever_is_known_and_names_their_organisation() -> None:
    world, other, callers = await _everybody()
    assert set(callers) == set(HOLDS)
    for name, caller in callers.items():
        headers = headers_of(caller)
        if not caller.is_known:
            assert (await asked("", **headers)).status_code == 401, name
            continue
        async with opened("", **headers) as events:
            told = (await events.next())["data"]["payload"]
            own = (other if name == "stranger" else world).organisation
            assert told["org_id"] == str(own.uuid), name


async def test_the_stream_shows_an_organisation_to_itself_alone() -> None:
    world, _, callers = await _everybody()
    admin = callers["admin"].person
    assert admin is not None
    await tell(admin, "alert.raised", message="told to Acme")
    assert "told to Acme" in await _all_told(callers["admin"])
    await database_sync_to_async(mark)(world)
    shown = await _all_told(callers["stranger"])
    assert HIDDEN.search(shown) is None


async def _all_told(caller: Caller) -> str:
    """All that the stream tells since the beginning."""
    assert caller.person is not None
    await tell(caller.person, "alert.raised", message="the last")
    seen: list[Any] = []
    async with opened("?after_id=0", **headers_of(caller)) as events:
        while "the last" not in str(seen[-1:]):
            seen.append(await events.next())
    return str(seen)


async def test_the_socket_of_an_account_opens_to_whoever_may_read_it() -> None:
    world, other, callers = await _everybody()
    for name, caller in callers.items():
        own, foreign = (other, world) if name == "stranger" else (world, other)
        headers = headers_of(caller, "_")
        assert await _enters(headers, own.accounts[0].pk) == caller.is_known, name
        for account_id in (NO_ROW, foreign.accounts[0].pk):
            assert await _enters(headers, account_id) is False, name


async def _enters(headers: dict[str, str], account_id: int) -> bool:
    connection = socket("/ws", x_account_id=str(account_id), **headers)
    if not (await connection.connect())[0]:
        return False
    message = await connection.receive_output()
    if message["type"] == "websocket.close":
        assert message["code"] == REFUSED_HEADERS
        return False
    await connection.disconnect()
    return True


async def test_the_shared_socket_opens_to_whoever_is_known() -> None:
    _, _, callers = await _everybody()
    for name, caller in callers.items():
        connection = socket("/ws/v1", **headers_of(caller, "_"))
        assert (await connection.connect())[0]
        if not caller.headers:
            await connection.send_json_to({"type": "subscribe", "stream": "order_updates"})
        if not caller.is_known:
            assert await close_code(connection) == NOT_AUTHENTICATED, name
            continue
        assert (await connection.receive_json_from())["status"] == "authenticated", name
        await connection.disconnect()


async def test_a_command_over_the_socket_is_about_its_own_account_alone() -> None:
    world, other, callers = await _everybody()
    account_id = str(other.accounts[0].pk)
    connection = socket("/ws", x_account_id=account_id, **headers_of(callers["stranger"], "_"))
    assert (await connection.connect())[0]
    before = await database_sync_to_async(_ledger)()
    told = []
    for foreign in (world.accounts[0].pk, NO_ROW):
        item = {**MARKET_ORDER, "account_id": foreign}
        frame = {"id": 1, "namespace": "position", "action": "command", "payload": item}
        await connection.send_json_to(frame)
        while (answer := await connection.receive_json_from())["type"] != "ws_response":
            continue
        told.append(str(answer).replace(str(foreign), "ID"))
    await connection.disconnect()
    assert told[0] == told[1]
    assert await database_sync_to_async(_ledger)() == before


def _ledger() -> list[int]:
    return [model.objects.count() for model in (Command, Execution, Order)]
