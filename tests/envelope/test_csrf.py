"""A surfer known by its cookie shows a forgery token with each write; nobody else needs one."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from common.clock import now
from groups.models import Group
from tests.users.people import PASSWORD, Person, new_organisation

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Person:
    return new_organisation("Ours")[1]


@pytest.fixture
def surfer(client: Client, admin: Person) -> Client:
    """A client that signed in and keeps the cookies."""
    body = {"username": "ours-admin", "password": PASSWORD}
    assert client.post("/api/v1/auth/login", body, "application/json").status_code == 200
    return client


def make_group(client: Client, token: str | None = None, **extra: Any) -> Any:
    """A write: a new group."""
    headers = {} if token is None else {"HTTP_X_CSRF_TOKEN": token}
    text = json.dumps({"name": "made-by-cookie"})
    return client.generic("POST", "/api/v1/groups/", text, "application/json", **headers, **extra)


def token_of(client: Client) -> str:
    body = client.get("/csrf-token").json()
    assert body["token"] == body["data"]["token"]
    assert (body["type"], body["version"], body["data"]["expires_in"]) == ("response", "1.0", 3600)
    return str(body["token"])


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json().get("error_code", "")


def test_the_cookie_reads_without_and_writes_with_a_token(surfer: Client) -> None:
    assert surfer.get("/api/v1/auth/me").json()["username"] == "ours-admin"
    assert code_of(make_group(surfer)) == (403, "csrf_missing")
    assert Group.objects.count() == 0
    assert make_group(surfer, token_of(surfer)).status_code == 200
    assert Group.objects.count() == 1


def test_a_wrong_an_old_and_a_foreign_token_are_refused(surfer: Client, admin: Person) -> None:
    token = token_of(surfer)
    assert code_of(make_group(surfer, f"{token}x")) == (403, "csrf_invalid")
    assert code_of(make_group(surfer, token_of(Client()))) == (403, "csrf_invalid")
    other = Client()
    body = {"username": "ours-admin", "password": PASSWORD}
    other.post("/api/v1/auth/login", body, "application/json")
    assert code_of(make_group(surfer, token_of(other))) == (403, "csrf_invalid")
    with time_machine.travel(now() + timedelta(seconds=3590)):
        late = token
        assert make_group(surfer, late).status_code == 200
    Group.objects.all().delete()
    fresh = token_of(surfer)
    with time_machine.travel(now() + timedelta(seconds=3601)):
        surfer.post("/api/v1/auth/refresh", {}, "application/json")
        assert code_of(make_group(surfer, fresh)) == (403, "csrf_expired")
    assert Group.objects.count() == 0


def test_a_header_credential_needs_no_token_even_beside_the_cookie(
    surfer: Client, admin: Person
) -> None:
    assert make_group(surfer, **admin.bearer).status_code == 200


def test_the_token_is_public_and_good_for_nothing_without_a_session(client: Client) -> None:
    assert token_of(client)
    assert make_group(client, token_of(client)).status_code == 401
