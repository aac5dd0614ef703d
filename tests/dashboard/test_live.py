"""The live channel: each later event once, rows of the own tenant, the session behind it."""

import asyncio
import json
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from accounts.principals import principal_of_user
from events.log import publish
from events.sequencer import last_number, number_events
from groups.models import Group
from surfaces.dashboard import consumer
from surfaces.dashboard.consumer import LiveConsumer
from surfaces.dashboard.routing import websocket_urlpatterns
from surfaces.limits import Bucket, admit_caller
from tests.dashboard.world import World, announce_order, make_order, make_world
from tests.management.sockets import Socket
from tests.waiting import PATIENCE, await_until
from trading import states

pytestmark = pytest.mark.django_db(transaction=True)

in_thread = database_sync_to_async


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "SECONDS_BETWEEN_BATCHES", 0.01)
    monkeypatch.setattr(consumer, "SECONDS_BETWEEN_LOOKS", 0.1)


def signed_in(world: World) -> str:
    """The session key of a fresh sign-in."""
    client = Client()
    client.force_login(world.user)
    return client.cookies["sessionid"].value


def connection(
    key: str, after_id: int, *, lists: str = "orders", origin: str = "http://testserver"
) -> Socket:
    """A socket as the page opens it."""
    headers = [
        (b"host", b"testserver"),
        (b"origin", origin.encode()),
        (b"cookie", f"sessionid={key}".encode()),
    ]
    address = f"/dashboard/ws?after_id={after_id}&lists={lists}"
    return Socket(URLRouter(websocket_urlpatterns), address, headers)


async def read_until(socket: Socket, number: int) -> list[dict[str, Any]]:
    """All events up to one number; fails when they do not come."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["id"] < number:
        message = await socket.receive_json_from()
        if message["type"] == "batch":
            events += message["events"]
    return events


async def test_new_order_arrives_as_the_row_that_the_page_shows() -> None:
    world = await in_thread(make_world)("Acme")
    key = await in_thread(signed_in)(world)
    socket = connection(key, 0)
    assert (await socket.connect())[0]
    assert (await socket.receive_json_from())["type"] == "ready"
    order = await in_thread(make_order)(world.accounts[0], state=states.OPEN)
    await in_thread(announce_order)(order, "order.created")
    batch = await socket.receive_json_from()
    (row,) = batch["rows"]
    assert (row["list"], row["id"]) == ("orders", f"order-{order.pk}")
    assert row["html"].startswith(f'<tr id="order-{order.pk}">')
    assert row["tags"]["group"] == "working"
    page = await in_thread(_page_of)(world, "/dashboard/orders/")
    assert row["html"].split("<time")[0] in page
    await socket.disconnect()


def _page_of(world: World, address: str) -> str:
    client = Client()
    client.force_login(world.user)
    return client.get(address).content.decode()


async def test_nothing_is_looked_up_for_a_page_that_leaves_as_news_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing(*_: Any) -> None:
        """Neither sends nor reads."""

    page = LiveConsumer()
    page.after_id, page.group, page.doubtful, page.news = 0, "", False, asyncio.Event()
    monkeypatch.setattr(page, "send_json", nothing)
    monkeypatch.setattr(page, "_send_news", nothing)
    page.pump = asyncio.create_task(page._run())
    await await_until(lambda: page.news._waiters)
    page.news.set()
    async with asyncio.timeout(PATIENCE):
        await page.disconnect(1000)
    assert page.pump.done()


async def test_cut_client_gets_each_event_once_and_in_order() -> None:
    world = await in_thread(make_world)("Acme")
    key = await in_thread(signed_in)(world)
    first = connection(key, 0)
    await first.connect()
    order = await in_thread(make_order)(world.accounts[0])
    for _ in range(3):
        await in_thread(announce_order)(order)
    seen = await read_until(first, 3)
    await first.disconnect()
    for _ in range(4):
        await in_thread(announce_order)(order)
    second = connection(key, seen[-1]["id"])
    await second.connect()
    await in_thread(announce_order)(order)
    seen += await read_until(second, await in_thread(last_number)())
    assert [event["id"] for event in seen] == [1, 2, 3, 4, 5, 6, 7, 8]
    await second.disconnect()


async def test_foreign_event_moves_the_number_and_shows_nothing() -> None:
    world = await in_thread(make_world)("Acme")
    other = await in_thread(make_world)("Other")
    socket = connection(await in_thread(signed_in)(world), 0)
    await socket.connect()
    await in_thread(announce_order)(await in_thread(make_order)(other.accounts[0]))
    own = await in_thread(make_order)(world.accounts[0])
    await in_thread(announce_order)(own)
    await socket.receive_json_from()
    batch = await socket.receive_json_from()
    assert [row["id"] for row in batch["rows"]] == [f"order-{own.pk}"]
    assert [event["id"] for event in batch["events"]] == [2]
    await socket.disconnect()


async def test_totals_come_with_the_events_that_move_them() -> None:
    world = await in_thread(make_world)("Acme")
    socket = connection(await in_thread(signed_in)(world), 0, lists="totals")
    await socket.connect()
    await in_thread(announce_order)(
        await in_thread(make_order)(world.accounts[0], state=states.UNKNOWN)
    )
    await socket.receive_json_from()
    batch = await socket.receive_json_from()
    assert "1 of unknown outcome" in batch["figures"]["totals"]
    assert batch["rows"] == []
    await socket.disconnect()


async def test_foreign_page_cannot_open_the_channel() -> None:
    world = await in_thread(make_world)("Acme")
    key = await in_thread(signed_in)(world)
    for origin in ("http://evil.example", ""):
        assert not (await connection(key, 0, origin=origin).connect())[0]


async def test_openings_count_like_those_of_every_other_stream(settings: Any) -> None:
    settings.STREAM_RATE_LIMIT_PER_MIN = 2
    world = await in_thread(make_world)("Acme")
    key = await in_thread(signed_in)(world)
    assert await first_word(key) == "ready"
    principal = await in_thread(principal_of_user)(world.user)
    await in_thread(admit_caller)(principal, Bucket.STREAMS)
    assert await first_word(key) == 4429
    other = await in_thread(make_world)("Other")
    assert await first_word(await in_thread(signed_in)(other)) == 4429  # by the address now


async def first_word(key: str) -> Any:
    """What a page that opens its socket is told: a message's type or a close code."""
    socket = connection(key, 0)
    assert (await socket.connect())[0]
    output = await socket.receive_output(timeout=5)
    await socket.disconnect()
    return output.get("code") or json.loads(output["text"])["type"]


async def test_socket_without_a_session_is_told_to_sign_in() -> None:
    socket = connection("no-such-session", 0)
    assert (await socket.connect())[0]
    closing = await socket.receive_output()
    assert (closing["type"], closing["code"]) == ("websocket.close", 4401)


async def test_sign_out_closes_the_open_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "SECONDS_BETWEEN_CHECKS", 0.0)
    world = await in_thread(make_world)("Acme")
    key = await in_thread(signed_in)(world)
    socket = connection(key, 0)
    await socket.connect()
    await socket.receive_json_from()
    await in_thread(SessionStore(key).flush)()
    closing = await socket.receive_output()
    assert (closing["type"], closing["code"]) == ("websocket.close", 4401)


@pytest.mark.parametrize("after_id", [7, -1])
async def test_number_that_cannot_be_resumed_from_is_said_so(after_id: int) -> None:
    world = await in_thread(make_world)("Acme")
    socket = connection(await in_thread(signed_in)(world), after_id)
    await socket.connect()
    answer = await socket.receive_output()
    if after_id < 0:
        assert answer["code"] == 4400
    else:
        assert "resync_required" in answer["text"]
    await socket.disconnect()


async def test_heartbeat_is_answered_and_rubbish_ignored() -> None:
    world = await in_thread(make_world)("Acme")
    socket = connection(await in_thread(signed_in)(world), 0)
    await socket.connect()
    await socket.receive_json_from()
    await socket.send_to(text_data="{rubbish")
    await socket.send_to(text_data="[]")
    await socket.send_json_to({"type": "ping"})
    assert await socket.receive_json_from() == {"type": "pong"}
    await socket.disconnect()


def _tell(world: World, kind: str, **payload: Any) -> None:
    publish(kind, organisation_id=world.organisation.pk, topics=(), payload=payload)
    number_events()


def _grouped(world: World) -> Group:
    group = Group.objects.create(organisation=world.organisation, name="both")
    group.accounts.set(world.accounts)
    return group


async def test_a_reading_moves_the_row_and_the_line_of_its_groups() -> None:
    world = await in_thread(make_world)("Acme")
    group = await in_thread(_grouped)(world)
    other = await in_thread(make_world)("Other")
    await in_thread(_grouped)(other)
    socket = connection(await in_thread(signed_in)(world), 0, lists="groups,steps")
    await socket.connect()
    await socket.receive_json_from()
    account = world.accounts[0]
    await in_thread(_tell)(world, "account.synced", account_id=account.pk, equity="10250.123456789")
    batch = await socket.receive_json_from()
    assert [(row["list"], row["id"]) for row in batch["rows"]] == [("groups", f"group-{group.pk}")]
    assert 'data-exact="20500.246913578"' in batch["rows"][0]["html"]
    points = {point["line"]: point["equity"] for point in batch["equity"]}
    assert points == {
        f"account:{account.pk}": "10250.123456789",
        f"group:{group.pk}": "20500.246913578",
    }
    assert batch["figures"]["steps"].startswith('<ol class="checklist" id="steps">')
    await socket.disconnect()


@pytest.mark.parametrize("kind", ["bot.updated", "signal.finished"])
async def test_a_bot_s_row_comes_with_its_status_and_with_its_signals(kind: str) -> None:
    world = await in_thread(make_world)("Acme")
    socket = connection(await in_thread(signed_in)(world), 0, lists="bots")
    await socket.connect()
    await socket.receive_json_from()
    await in_thread(_tell)(world, kind, bot_id=world.bot.pk)
    batch = await socket.receive_json_from()
    assert [row["id"] for row in batch["rows"]] == [f"bot-{world.bot.pk}"]
    page = await in_thread(_page_of)(world, "/dashboard/bots/")
    assert batch["rows"][0]["html"] in page
    await socket.disconnect()
