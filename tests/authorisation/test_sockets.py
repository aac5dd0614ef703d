"""Sockets: who is let in, with which code others are sent away, and nothing foreign is told."""

from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.test import Client

from events.log import publish
from events.sequencer import last_number, number_events
from surfaces.dashboard import consumer
from surfaces.live import feed, socket
from tests.authorisation.callers import HOLDS, Caller, all_callers
from tests.authorisation.markers import mark
from tests.authorisation.test_leaks import HIDDEN
from tests.authorisation.worlds import start_numbers_high, whole_world
from tests.management.sockets import Socket, close_code
from tests.users.people import Person
from tradingplatform.asgi import websocket_routes

pytestmark = pytest.mark.django_db(transaction=True)

NOT_AUTHENTICATED, FOREIGN = 4401, 4403


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(socket, "AUTH_SECONDS", 1)
    monkeypatch.setattr(consumer, "SECONDS_BETWEEN_BATCHES", 0.01)


@database_sync_to_async
def _everybody() -> dict[str, Caller]:
    return {each.name: each for each in all_callers(whole_world("Acme"), whole_world("Other"))}


def opened(path: str, caller: Caller) -> Socket:
    """A connection with the caller's credential, not yet made."""
    names = {"HTTP_AUTHORIZATION": b"authorization", "HTTP_X_API_KEY": b"x-api-key"}
    headers = [(names[name], text.encode()) for name, text in caller.headers.items()]
    return Socket(URLRouter(websocket_routes), path, headers=headers)


@pytest.mark.parametrize("prefix", ["/ws/", "/api/v1/ws/"])
async def test_every_caller_at_its_own_and_at_another_address(prefix: str) -> None:
    callers = await _everybody()
    assert set(callers) == set(HOLDS)
    admin = callers["admin"].person
    assert admin is not None
    for name, caller in callers.items():
        own = caller.person.user.pk if caller.person else admin.user.pk
        if caller.is_known:
            assert await _is_welcome(opened(f"{prefix}{own}", caller)), name
            stranger = callers["stranger" if name != "stranger" else "admin"].person
            assert stranger is not None
            assert await _code(f"{prefix}{stranger.user.pk}", caller) == FOREIGN, name
            assert await _code(f"{prefix}999999999", caller) == FOREIGN, name
        else:
            assert await _code(f"{prefix}{own}", caller) == NOT_AUTHENTICATED, name


async def _is_welcome(socket: Socket) -> bool:
    assert (await socket.connect())[0]
    greeting = await socket.receive_json_from()
    await socket.disconnect()
    return bool(greeting["type"] == "hello")


async def _code(path: str, caller: Caller) -> int:
    socket = opened(path, caller)
    assert (await socket.connect())[0]
    return await close_code(socket)


async def test_no_socket_shows_another_organisation() -> None:
    person, bot_id, last = await _two_organisations()
    frames = await _api_frames(person, bot_id)
    assert any(each.get("event") == "test.mine" for each in frames)
    batches = await _page_frames(person, last)
    assert any("test.mine" in str(each) for each in batches)
    assert HIDDEN.search(str(frames) + str(batches)) is None


@database_sync_to_async
def _two_organisations() -> tuple[Person, int, int]:
    """A person of the one, a bot of the other, and the last number of the log."""
    start_numbers_high()
    world, other = whole_world("Acme"), whole_world("Other")
    callers = {each.name: each for each in all_callers(world, other)}
    person = callers["stranger"].person
    assert person is not None
    mark(world)
    publish("test.mine", organisation_id=other.organisation.pk, topics=(), payload={"of": "Other"})
    number_events()
    return person, world.bot.pk, last_number()


async def _api_frames(person: Person, bot_id: int) -> list[dict[str, Any]]:
    """All that the socket of the API tells: everything since the beginning, and a foreign bot."""
    headers = [(b"authorization", f"Bearer {person.pair.access}".encode())]
    path = f"/ws/{person.user.pk}?after_id=0"
    socket = Socket(URLRouter(websocket_routes), path, headers=headers)
    assert (await socket.connect())[0]
    await socket.send_json_to({"type": "subscribe", "channel": "all"})
    await socket.send_json_to({"type": "subscribe", "bot_id": str(bot_id)})
    frames = []
    while not {"test.mine", "bot_not_found"} <= {
        str(each.get("event") or each.get("code")) for each in frames
    }:
        frames.append(await socket.receive_json_from())
    await socket.disconnect()
    return frames


async def _page_frames(person: Person, last: int) -> list[dict[str, Any]]:
    """All that an open page is told since the beginning."""
    key = await database_sync_to_async(_session_key)(person)
    headers = [
        (b"host", b"testserver"),
        (b"origin", b"http://testserver"),
        (b"cookie", f"sessionid={key}".encode()),
    ]
    lists = "accounts,balances,orders,deals,positions,signals,legs,totals"
    path = f"/dashboard/ws?after_id=0&lists={lists}"
    socket = Socket(URLRouter(websocket_routes), path, headers=headers)
    assert (await socket.connect())[0]
    frames: list[dict[str, Any]] = []
    while not any(each.get("last_id", 0) >= last for each in frames):
        frames.append(await socket.receive_json_from())
    await socket.disconnect()
    return frames


def _session_key(person: Person) -> str:
    browser = Client()
    browser.force_login(person.user)
    return browser.cookies["sessionid"].value
