"""The live channel: who gets in, and who is put out."""

from typing import Any

import pytest
from channels.db import database_sync_to_async

from surfaces.live import feed
from surfaces.live import socket as live_socket
from tests.management.sockets import close_code, connected, numbered, socket
from tests.users.people import Person, new_organisation
from users.services import create_api_key
from users.sessions import revoke

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin(transactional_db: None) -> Person:
    """The administrator of Ours, committed, since sockets read on threads of their own."""
    return new_organisation("Ours")[1]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the log often, so that no test waits for an announcement."""
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.02)


async def test_the_token_is_taken_from_header_query_cookie_and_first_message(admin: Person) -> None:
    token, path = admin.pair.access, f"/ws/{admin.user.pk}"
    ways = [
        socket(path, authorization=f"Bearer {token}"),
        socket(f"/api/v1{path}?token={token}"),
        socket(f"/ws/{admin.user.uuid}?token={token}"),
        socket(path, cookie=f"access_token={token}", origin="http://here", host="here"),
        socket(path),
    ]
    for number, connection in enumerate(ways):
        assert (await connection.connect())[0]
        if number == len(ways) - 1:
            await connection.send_json_to({"type": "auth", "token": token})
        assert (await connection.receive_json_from())["type"] == "hello"
        await connection.disconnect()


async def test_an_api_key_is_taken_too(admin: Person) -> None:
    _, key = await database_sync_to_async(create_api_key)(user=admin.user, label="relay")
    connection = socket(f"/ws/{admin.user.pk}", x_api_key=key)
    assert (await connection.connect())[0]
    assert (await connection.receive_json_from())["type"] == "hello"
    await connection.disconnect()


async def test_a_key_that_may_not_read_hears_nothing(admin: Person) -> None:
    _, key = await database_sync_to_async(create_api_key)(
        user=admin.user, label="blind", scopes=["trade"]
    )
    connection = socket(f"/ws/{admin.user.pk}", x_api_key=key)
    assert (await connection.connect())[0]
    assert await close_code(connection) == 4403


async def test_openings_of_streams_are_counted(admin: Person, settings: Any) -> None:
    settings.STREAM_RATE_LIMIT_PER_MIN = 1
    path = f"/ws/{admin.user.pk}?token={admin.pair.access}"
    first, second = socket(path), socket(path)
    second.scope["client"] = ("10.1.1.1", 1)
    assert (await first.connect())[0]
    assert (await first.receive_json_from())["type"] == "hello"
    assert (await second.connect())[0]
    assert await close_code(second) == 4429
    await first.disconnect()


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/ws/{}", {"x_api_key": "tp_guess_00000000000000000000"}),
        ("/ws/{}?token=guess", {}),
        ("/ws/{}?ticket=guess", {}),
        ("/ws/v1", {"authorization": "Bearer guess"}),
        ("/ws?ticket=guess", {"x_api_key": "guess", "x_account_id": "1"}),
    ],
)
async def test_an_address_is_counted_before_its_credential_is_looked_up(
    admin: Person, settings: Any, path: str, headers: dict[str, str]
) -> None:
    settings.STREAM_RATE_LIMIT_PER_MIN = 2
    codes = []
    for _ in range(3):
        guess = socket(path.format(admin.user.pk), **headers)
        await guess.connect()
        codes.append(await close_code(guess))
    wrong = 1008 if "?ticket" in path and "{" not in path else 4401
    assert codes == [wrong, wrong, 4429]
    bearer = f"Bearer {admin.pair.access}"
    refused = socket(f"/ws/{admin.user.pk}", authorization=bearer)
    await refused.connect()
    assert await close_code(refused) == 4429
    elsewhere = socket(f"/ws/{admin.user.pk}", authorization=bearer)
    elsewhere.scope["client"] = ("10.1.1.1", 1)
    await elsewhere.connect()
    assert (await elsewhere.receive_json_from())["type"] == "hello"
    await elsewhere.disconnect()


@pytest.mark.parametrize(
    ("origin", "code"), [("http://evil.example", 4403), ("", 4403), ("null", 4403)]
)
async def test_a_cookie_counts_only_from_a_page_of_ours(
    admin: Person, origin: str, code: int
) -> None:
    cookie = f"access_token={admin.pair.access}"
    connection = socket(f"/ws/{admin.user.pk}", cookie=cookie, origin=origin, host="here")
    await connection.connect()
    assert await close_code(connection) == code


async def test_a_bad_token_and_a_foreign_address_are_closed(admin: Person) -> None:
    bearer = f"Bearer {admin.pair.access}"
    for path, header, code in (
        (f"/ws/{admin.user.pk}", "Bearer rubbish", 4401),
        (f"/ws/{admin.user.pk}", f"Bearer {admin.pair.refresh}", 4401),
        (f"/ws/{admin.user.pk + 1}", bearer, 4403),
        ("/ws/00000000-0000-4000-8000-000000000000", bearer, 4403),
    ):
        connection = socket(path, authorization=header)
        await connection.connect()
        assert await close_code(connection) == code


async def test_silence_is_closed_after_the_time_to_authenticate(
    admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_socket, "AUTH_SECONDS", 0.05)
    connection = socket(f"/ws/{admin.user.pk}")
    await connection.connect()
    assert await close_code(connection) == 4401


@pytest.mark.parametrize(
    "first",
    [{"type": "subscribe", "channel": "all"}, {"type": "auth"}, {"type": "auth", "token": 1}],
)
async def test_nothing_but_a_token_comes_first(admin: Person, first: Any) -> None:
    connection = socket(f"/ws/{admin.user.pk}")
    await connection.connect()
    await connection.send_json_to(first)
    assert await close_code(connection) == 4401


async def test_a_revoked_session_is_cut_off(admin: Person) -> None:
    async with connected(admin) as connection:
        await numbered(lambda: revoke(admin.session, reason="logout"))
        assert await close_code(connection) == 4401


async def test_a_revocation_without_an_event_is_found_by_the_next_check(
    admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_socket, "CHECK_SECONDS", 0.05)
    async with connected(admin) as connection:
        await database_sync_to_async(lambda: type(admin.user).objects.update(is_active=False))()
        assert await close_code(connection) == 4401
