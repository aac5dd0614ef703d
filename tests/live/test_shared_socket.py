"""``/ws/v1``: who gets in and stays, and which messages are taken."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from rest_framework_simplejwt.tokens import AccessToken

from common.clock import now
from surfaces import ws
from surfaces.envelope.messages import TO_COME
from surfaces.live import socket as live_socket
from tests.live.terminals import PATH, asked, connected
from tests.management.sockets import close_code, numbered, received, socket, tell
from tests.users.people import Person
from users.sessions import revoke

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_first_message_authenticates(admin: Person) -> None:
    current = await numbered()
    async with connected(admin, id="a-1") as connection:
        hello = connection.hello
        assert hello.pop("timestamp").endswith("Z")
        assert hello == {
            "type": "response",
            "status": "authenticated",
            "version": "1.0",
            "data": {"user_id": str(admin.user.pk), "role": "admin"},
            "event_id": current,
        }


async def test_a_header_authenticates_too(admin: Person) -> None:
    connection = socket(PATH, authorization=f"Bearer {admin.pair.access}")
    await connection.connect()
    assert (await connection.receive_json_from())["status"] == "authenticated"
    await connection.disconnect()


@pytest.mark.parametrize(
    "first",
    [
        {"type": "auth", "token": "rubbish"},
        {"type": "auth"},
        {"type": "subscribe", "stream": "order_updates"},
        {"type": "session_start"},
    ],
)
async def test_nothing_but_a_good_token_comes_first(
    transactional_db: None, first: dict[str, Any]
) -> None:
    connection = socket(PATH)
    await connection.connect()
    await connection.send_json_to(first)
    assert await close_code(connection) == 4401


async def test_silence_is_closed(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_socket, "AUTH_SECONDS", 0.05)
    connection = socket(PATH)
    await connection.connect()
    assert await close_code(connection) == 4401


async def test_a_revoked_session_is_cut_off(admin: Person) -> None:
    async with connected(admin) as connection:
        await numbered(lambda: revoke(admin.session, reason="logout"))
        assert await close_code(connection) == 4401


def _short_lived(person: Person, seconds: float) -> str:
    token = AccessToken(person.pair.access)  # type: ignore[arg-type]
    token.set_exp(from_time=now(), lifetime=timedelta(seconds=seconds))
    return str(token)


async def test_an_expired_token_is_replaced_and_nothing_is_missed(admin: Person) -> None:
    await numbered()
    connection = socket(PATH)
    await connection.connect()
    await connection.send_json_to({"type": "auth", "token": _short_lived(admin, 2)})
    await connection.receive_json_from()
    subscribe = {"type": "subscribe", "stream": "risk_alerts"}
    assert (await asked(connection, **subscribe))["type"] == "subscribed"
    expired = await connection.receive_json_from()
    assert (expired["type"], expired["seconds"]) == ("auth_expired", 30)
    await tell(admin, "alert.raised", severity="warning", message="meanwhile", code="c")
    assert (await asked(connection, **subscribe))["code"] == "auth_expired"
    await connection.send_json_to({"type": "auth", "token": admin.pair.access, "id": 5})
    renewed, alert = await received(connection, 2)
    assert (renewed["status"], renewed["id"]) == ("authenticated", 5)
    assert (alert["type"], alert["message"]) == ("risk_alert", "meanwhile")
    await connection.disconnect()


async def test_who_does_not_renew_is_put_out(
    admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws, "RENEW_SECONDS", 0.05)
    connection = socket(PATH)
    await connection.connect()
    await connection.send_json_to({"type": "auth", "token": _short_lived(admin, 2)})
    assert await close_code(connection) == 4401


async def test_another_users_token_does_not_take_a_connection_over(
    admin: Person, stranger: Person
) -> None:
    async with connected(admin) as connection:
        await connection.send_json_to({"type": "auth", "token": stranger.pair.access})
        assert await close_code(connection) == 4403


async def test_pings_go_both_ways(admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(admin) as connection:
        answer = await asked(connection, type="ping", id=3)
        assert (answer["type"], answer["id"]) == ("pong", 3)
    monkeypatch.setattr(ws.SharedSocket, "ping_seconds", 0.05)
    async with connected(admin) as connection:
        assert await connection.receive_json_from() == {"type": "ping"}
        await connection.send_json_to({"type": "pong"})


@pytest.mark.parametrize("kind", TO_COME)
async def test_messages_of_002_whose_core_is_to_come_have_an_error_of_their_own(
    admin: Person, kind: str
) -> None:
    async with connected(admin) as connection:
        answer = await asked(connection, type=kind, id="m-1")
        assert (answer["type"], answer["error_code"], answer["id"]) == (
            "error",
            "not_available",
            "m-1",
        )
        assert answer["error"]["code"] == "NOT_AVAILABLE"


async def test_the_tenth_fault_of_a_minute_ends_the_connection(admin: Person) -> None:
    faults = ["{", "[]", '{"type": "fly"}', '{"type": 1}', '{"type": "subscribe"}'] * 2
    async with connected(admin) as connection:
        for text in faults:
            await connection.send_to(text_data=text)
        codes = [frame["code"] for frame in await received(connection, 10)]
        first = ["invalid_json"] * 2 + ["unknown_type"] * 2 + ["unknown_stream"]
        assert codes == first * 2
        assert await close_code(connection) == 4400


async def test_frames_have_limits(admin: Person) -> None:
    async with connected(admin) as connection:
        await connection.send_to(text_data='"' + "x" * 65_536 + '"')
        assert await close_code(connection) == 1009
    async with connected(admin) as connection:
        for _ in range(60):
            await connection.send_json_to({"type": "pong"})
        assert await close_code(connection) == 4429
    connection = socket(PATH)
    await connection.connect()
    await connection.send_to(text_data="x" * 4_097)
    assert await close_code(connection) == 1009


@pytest.mark.parametrize("number", [999_999, -1, "abc", True, 1.5, [], ""])
async def test_a_number_of_no_log_is_refused(admin: Person, number: Any) -> None:
    await numbered()
    connection = socket(PATH)
    await connection.connect()
    token = admin.pair.access
    await connection.send_json_to({"type": "auth", "token": token, "resume_from": number})
    assert (await connection.receive_json_from())["type"] == "error"
    assert await close_code(connection) == 4400


async def test_two_handlers_for_a_type_are_a_fault_of_ours() -> None:
    async def other(socket: ws.SharedSocket, message: ws.Message) -> None:
        await asyncio.sleep(0)

    with pytest.raises(ValueError, match="subscribe"):
        ws.takes("subscribe", other)
