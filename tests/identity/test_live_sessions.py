"""Sessions of a running server: many refreshes at once, and what an ended session still reaches."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.identity.clients import Clients, at_once
from tests.identity.conftest import told
from tests.processes.harness import Platform
from tests.users.people import PASSWORD, new_person
from tests.waiting import PATIENCE
from users.models import AuthSession, Organisation

pytestmark = pytest.mark.slow

REFRESH = "/api/v1/auth/refresh"
REVOKED, NOT_AUTHENTICATED = "token_revoked", 4401
CLOSED_WITHIN_SECONDS = 5.0


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def logged_in(clients: Clients, name: str) -> dict[str, Any]:
    answer = clients.log_in(name, PASSWORD)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@contextmanager
def socket_of(
    platform: Platform, tokens: dict[str, Any], user_id: int
) -> Iterator[ClientConnection]:
    """A socket after its greeting."""
    address = f"{platform.url.replace('http', 'ws')}/ws/{user_id}"
    with connect(address, additional_headers=bearer(tokens)) as socket:
        assert json.loads(socket.recv(PATIENCE))["type"] == "hello"
        yield socket


def close_of(socket: ClientConnection) -> int:
    """The code the server closes with."""
    with suppress(ConnectionClosed):
        while True:
            socket.recv(PATIENCE)
    assert socket.close_code is not None
    return socket.close_code


def test_twenty_parallel_refreshes_over_sockets_give_one_successor(
    platform: Platform, clients: Clients, organisation: Organisation
) -> None:
    new_person(organisation, "tina", "trader")
    platform.start(platform.door)
    first = logged_in(clients, "tina")
    given = {"refresh_token": first["refresh_token"]}

    def refresh(_: int) -> httpx.Response:
        return clients.at().post(REFRESH, json=given)

    answers = at_once(20, refresh)
    assert [told(answer) for answer in answers] == ["ok"] * 20
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    assert successors != {first["refresh_token"]}
    me = clients.at().get("/api/v1/auth/me", headers=bearer(answers[0].json()))
    assert me.json()["username"] == "tina"
    session = AuthSession.objects.latest("pk")
    assert (session.used_generation, session.revoked_at) == (1, None)


def test_a_terminated_session_fails_at_once_and_its_sockets_close_within_five_seconds(
    platform: Platform, clients: Clients, organisation: Organisation
) -> None:
    person = new_person(organisation, "tina", "trader")
    platform.start()
    lost, kept = logged_in(clients, "tina"), logged_in(clients, "tina")
    client, number = clients.at(), person.user.pk
    listed = client.get("/api/v1/auth/sessions", headers=bearer(lost)).json()["data"]["sessions"]
    sid = next(each["session_id"] for each in listed if each["current"])
    terminate = f"/api/v1/auth/sessions/{sid}/terminate"
    with socket_of(platform, lost, number) as losing, socket_of(platform, kept, number) as keeping:
        began = time.monotonic()
        assert told(client.post(terminate, json={}, headers=bearer(kept))) == "ok"
        assert told(client.get("/api/v1/auth/me", headers=bearer(lost))) == REVOKED
        given = {"refresh_token": lost["refresh_token"]}
        assert told(client.post(REFRESH, json=given)) == REVOKED
        code, seconds = close_of(losing), time.monotonic() - began
        print(f"the socket of the ended session closed after {seconds:.2f} s")
        assert code == NOT_AUTHENTICATED
        assert seconds < CLOSED_WITHIN_SECONDS
        assert told(client.get("/api/v1/auth/me", headers=bearer(kept))) == "ok"
        assert keeping.ping().wait(PATIENCE)
