"""The live channel: what arrives, and that nothing is lost or doubled."""

import asyncio
from typing import Any

import pytest
from channels.db import database_sync_to_async

from accounts.models import Account
from bots.models import Bot
from bots.services import create_bot
from surfaces.live import feed, writer
from surfaces.management.consumers import UserSocket
from tests.management.sockets import ALL, close_code, connected, numbered, received, socket, tell
from tests.users.people import Person, new_account, new_organisation
from users.services import create_api_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin(transactional_db: None) -> Person:
    """The administrator of Ours, committed, since sockets read on threads of their own."""
    return new_organisation("Ours")[1]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the log often, so that no test waits for an announcement."""
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.02)


@pytest.fixture
def bot(admin: Person) -> Bot:
    """A bot."""
    return create_bot(principal=admin.principal, name="Trend")[0]


async def test_bot_updates_reach_who_subscribed_and_nobody_else(admin: Person, bot: Bot) -> None:
    current = await numbered()
    async with connected(admin) as listening, connected(admin) as silent:
        assert listening.hello["event_id"] == current
        await listening.send_json_to({"type": "subscribe", "bot_id": str(bot.pk)})
        answer = await listening.receive_json_from()
        assert (answer["type"], answer["bot_id"]) == ("subscribed", str(bot.pk))
        assert answer["data"] == {"id": str(bot.pk), "name": "Trend", "status": "ACTIVE"}
        await tell(admin, "bot.updated", "bot:999999", n="other bot")
        await tell(admin, "order.created", f"magic:{bot.magic_id}", n="by owner number")
        await tell(admin, "signal.received", f"bot:{bot.pk}", n="by bot")
        frames = await received(listening, 2)
        assert [frame["type"] for frame in frames] == ["bot_update", "bot_update"]
        assert [frame["data"]["n"] for frame in frames] == ["by owner number", "by bot"]
        assert [frame["event_id"] for frame in frames] == [current + 2, current + 3]
        assert {frame["bot_id"] for frame in frames} == {str(bot.pk)}
        await listening.send_json_to({"type": "unsubscribe", "bot_id": str(bot.pk)})
        assert (await listening.receive_json_from())["type"] == "unsubscribed"
        await tell(admin, "signal.received", f"bot:{bot.pk}")
        assert await listening.receive_nothing(0.2)
        assert await silent.receive_nothing(0.1)


@pytest.mark.parametrize("bot_id", ["999999", "abc", None, [], True, "9" * 40])
async def test_a_bot_that_is_not_there_is_answered_with_an_error(
    admin: Person, bot_id: Any
) -> None:
    async with connected(admin) as connection:
        await connection.send_json_to({"type": "subscribe", "bot_id": bot_id})
        frame = await connection.receive_json_from()
        assert (frame["type"], frame["code"]) == ("error", "bot_not_found")


async def test_a_client_that_was_cut_sees_every_event_once_and_in_order(admin: Person) -> None:
    seen: list[int] = []
    sent = 0
    last = await numbered()
    for count in (3, 0, 4, 1):
        async with connected(admin, f"?after_id={last}") as connection:
            await connection.send_json_to(ALL)
            assert (await connection.receive_json_from())["type"] == "subscribed"
            for _ in range(count):
                await tell(admin, "probe", n=(sent := sent + 1))
            frames = await received(connection, sent - len(seen))
            seen += [frame["data"]["n"] for frame in frames]
            last = frames[-1]["event_id"] if frames else last
        for _ in range(2):
            await tell(admin, "probe", n=(sent := sent + 1))
    async with connected(admin, f"?after_id={last}") as connection:
        await connection.send_json_to(ALL)
        frames = (await received(connection, 1 + sent - len(seen)))[1:]
        seen += [frame["data"]["n"] for frame in frames]
        assert await connection.receive_nothing(0.2)
    assert seen == list(range(1, sent + 1))


async def test_resume_may_come_before_or_after_subscribing(admin: Person, bot: Bot) -> None:
    start = await numbered()
    for number in range(3):
        await tell(admin, "signal.received", f"bot:{bot.pk}", n=number)
    subscribe = {"type": "subscribe", "bot_id": str(bot.pk)}
    resume = {"type": "resume", "after_id": start}
    for messages in ((resume, subscribe), (subscribe, resume)):
        async with connected(admin) as connection:
            for message in messages:
                await connection.send_json_to(message)
            frames = await received(connection, 5)
            updates = [frame for frame in frames if frame["type"] == "bot_update"]
            assert [frame["data"]["n"] for frame in updates] == [0, 1, 2]
            assert await connection.receive_nothing(0.1)


async def test_a_number_that_is_none_of_the_log_is_refused(admin: Person) -> None:
    for text in ("999999", "abc", "-1", "", "1.5"):
        bearer = f"Bearer {admin.pair.access}"
        connection = socket(f"/ws/{admin.user.pk}?after_id={text}", authorization=bearer)
        await connection.connect()
        assert (await connection.receive_json_from())["type"] == "error"
        assert await close_code(connection) == 4400
    async with connected(admin) as connection:
        for after_id in (999_999, -1, "1", None, True, 1.5):
            await connection.send_json_to({"type": "resume", "after_id": after_id})
            assert (await connection.receive_json_from())["code"] == "invalid_after_id"


async def test_another_organisation_and_a_limited_key_see_nothing_of_it(admin: Person) -> None:
    stranger = (await database_sync_to_async(new_organisation)("Theirs"))[1]
    account: Account = await database_sync_to_async(new_account)(admin, "one")
    _, key = await database_sync_to_async(create_api_key)(
        user=admin.user, label="limited", account_ids=[account.pk + 1]
    )
    await numbered()
    limited = socket(f"/ws/{admin.user.pk}", x_api_key=key)
    await limited.connect()
    async with connected(stranger) as foreign:
        for connection in (foreign, limited):
            await connection.send_json_to(ALL)
        assert (await foreign.receive_json_from())["type"] == "subscribed"
        await received(limited, 2)
        await tell(admin, "order.created", f"account:{account.pk}")
        assert await foreign.receive_nothing(0.2)
        assert await limited.receive_nothing(0.1)
    await limited.disconnect()


async def test_ping_is_answered_and_sent(admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UserSocket, "ping_seconds", 0.05)
    async with connected(admin) as connection:
        assert (await connection.receive_json_from()) == {"type": "ping"}
        await connection.send_json_to({"type": "pong"})
        await connection.send_json_to({"type": "ping"})
        while (frame := await connection.receive_json_from())["type"] == "ping":
            continue
        assert frame["type"] == "pong"


async def test_the_tenth_fault_of_a_minute_ends_the_connection(admin: Person) -> None:
    async with connected(admin) as connection:
        for text in ["{", "[]", "1", '{"type": "nonsense"}', '{"a": NaN}'] * 2:
            await connection.send_to(text_data=text)
        frames = await received(connection, 10)
        codes = ["invalid_json"] * 3 + ["unknown_type", "invalid_json"]
        assert [frame["code"] for frame in frames] == codes * 2
        assert await close_code(connection) == 4400


async def test_a_frame_beyond_the_limit_is_closed_and_a_binary_one_is_an_error(
    admin: Person,
) -> None:
    async with connected(admin) as connection:
        await connection.send_to(bytes_data=b"binary")
        assert (await connection.receive_json_from())["code"] == "invalid_json"
        await connection.send_to(text_data='"' + "x" * 65_536 + '"')
        assert await close_code(connection) == 1009


async def test_too_many_frames_in_a_second_are_closed(admin: Person) -> None:
    async with connected(admin) as connection:
        for _ in range(60):
            await connection.send_json_to({"type": "pong"})
        assert await close_code(connection) == 4429


async def test_a_reader_that_does_not_read_is_closed(
    admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEND_SECONDS", 0.05)
    monkeypatch.setattr(writer, "QUEUE_LENGTH", 3)
    send = UserSocket.send

    async def stuck(self: Any, text_data: str | None = None, **given: Any) -> None:
        if text_data and '"probe"' in text_data:
            await asyncio.Event().wait()
        await send(self, text_data=text_data, **given)

    monkeypatch.setattr(UserSocket, "send", stuck)
    async with connected(admin) as connection:
        await connection.send_json_to(ALL)
        await connection.receive_json_from()
        for number in range(8):
            await tell(admin, "probe", n=number)
        assert await close_code(connection) == 1013
