"""An organisation with people of every role, a stranger, a superuser, and a client."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from common.principal import EXPORTER, TRADER, VIEWER
from tests.users.people import Person, new_organisation, new_person

Ask = Callable[..., Any]


@pytest.fixture
def admin(db: None) -> Person:
    """The administrator of the organisation Ours."""
    return new_organisation("Ours")[1]


@pytest.fixture
def stranger(db: None) -> Person:
    """The administrator of another organisation."""
    return new_organisation("Theirs")[1]


@pytest.fixture
def platform(db: None) -> Person:
    """A superuser, at home in a third organisation."""
    organisation, _ = new_organisation("Platform")
    return new_person(organisation, "root", "admin", is_superuser=True, is_staff=True)


@pytest.fixture
def trader(admin: Person) -> Person:
    """A trader of Ours."""
    return new_person(admin.user.organisation, "tina", TRADER)


@pytest.fixture
def others(admin: Person, trader: Person) -> list[Person]:
    """Everybody of Ours who is no administrator."""
    ours = admin.user.organisation
    return [trader, new_person(ours, "vera", VIEWER), new_person(ours, "edda", EXPORTER)]


@pytest.fixture
def ask(client: Client) -> Ask:
    """``ask(method, path, body, who)``: a request under /v1; ``who`` is a person or a token."""

    def request(
        method: str, path: str, body: Any = None, who: Person | str | None = None, **extra: Any
    ) -> Any:
        token = who.pair.access if isinstance(who, Person) else who
        given: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}
        if body is not None:
            given.update(data=json.dumps(body), content_type="application/json")
        return client.generic(method, f"/v1{path}", **given, **extra)

    return request


def good(response: Any) -> dict[str, Any]:
    """The body of a 200."""
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal in 003's form, after its status and code were checked."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body.get("code")) == (status, code), body
    assert set(body) - {"fields", "details"} == {"error", "code", "request_id"}
    assert isinstance(body["error"], str)
    assert (body["error"] == "unauthorized") == (status == 401)
    assert response.headers["X-Request-ID"] == body["request_id"]
    return body
