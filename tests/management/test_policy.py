"""Every route declares who may call it, and means it."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from surfaces.policy import Policy
from tests.management.answers import refusal
from tests.management.conftest import Call
from tests.users.people import Person

# Django's own pages, which guard themselves, and the document and the liveness of the platform.
NOT_OURS = ("admin/", "api/schema/", "api/docs/", "healthz")
ADMIN_ONLY = [
    ("POST", "/bots/create"),
    ("POST", "/bots/1/status"),
    ("POST", "/bots/1/connect-account"),
    ("POST", "/bots/1/disconnect-account"),
    ("POST", "/bots/1/terminate"),
    ("POST", "/accounts/create"),
    ("POST", "/accounts/1/update-credentials"),
    ("POST", "/accounts/1/sync-balance"),
    ("DELETE", "/accounts/1"),
    ("POST", "/accounts/1/assign-group"),
    ("POST", "/groups/"),
    ("PATCH", "/groups/1"),
    ("DELETE", "/groups/1"),
    ("POST", "/groups/1/accounts"),
    ("POST", "/groups/1/accounts/1"),
    ("DELETE", "/groups/1/accounts/1"),
    ("POST", "/trading/group/1/execute"),
    ("POST", "/trading/executions/1/retry"),
    ("POST", "/trading/close-position/1"),
    ("POST", "/trading/terminate/1"),
]
FOR_ALL = [
    ("GET", "/auth/me"),
    ("GET", "/bots/list"),
    ("GET", "/bots/1"),
    ("GET", "/bots/1/accounts"),
    ("GET", "/accounts/list"),
    ("GET", "/accounts/1"),
    ("GET", "/groups/"),
    ("GET", "/groups/1"),
    ("GET", "/trading/positions/1"),
    ("GET", "/trading/executions/1"),
    ("GET", "/webhook/signals/abc"),
]


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every address and its view."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path, pattern.callback


def declared(view: Any) -> Any:
    """The policy of a class or function view, looking through its wrappers."""
    view = inspect.unwrap(view)
    return getattr(getattr(view, "cls", view), "policy", None)


def test_every_route_of_the_api_declares_its_policy() -> None:
    ours = [
        (path, declared(view))
        for path, view in routes(get_resolver().url_patterns)
        if path.startswith(("^api/", "api/")) and not path.startswith(NOT_OURS)
    ]
    assert len(ours) >= 30
    for path, policy in ours:
        policies = policy.values() if isinstance(policy, dict) else [policy]
        assert all(isinstance(each, Policy) for each in policies), path


@pytest.mark.parametrize(("method", "path"), ADMIN_ONLY)
def test_what_is_for_administrators_is_refused_to_everybody_else(
    call: Call, viewer: Person, exporter: Person, trader: Person, method: str, path: str
) -> None:
    assert refusal(call(method, path), 401, "unauthorized")
    for person in (viewer, exporter, trader):
        refusal(call(method, path, person=person), 403, "permission_denied")


@pytest.mark.parametrize(("method", "path"), FOR_ALL)
def test_what_is_for_everybody_needs_a_caller(
    call: Call, viewer: Person, method: str, path: str
) -> None:
    response = call(method, path)
    refusal(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert call(method, path, person=viewer).status_code in (200, 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/auth/login", "POST"),
        ("PUT", "/groups/1", "GET, PATCH, DELETE"),
        ("DELETE", "/bots/list", "GET"),
        ("PATCH", "/webhook/tradingview", "POST"),
        ("PUT", "/webhook/tradingview/test", "GET, POST"),
    ],
)
def test_another_method_is_refused_with_what_is_allowed(
    call: Call, admin: Person, method: str, path: str, allowed: str
) -> None:
    response = call(method, path, person=admin)
    refusal(response, 405, "method_not_allowed")
    assert set(allowed.split(", ")) <= set(response.headers["Allow"].split(", "))


def test_an_address_that_is_not_there_answers_in_the_same_form(call: Call, admin: Person) -> None:
    refusal(call("GET", "/no/such/address", person=admin), 404, "not_found")
