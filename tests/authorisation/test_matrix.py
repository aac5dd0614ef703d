"""Every route of the REST APIs, asked by everybody."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from surfaces.policy import Policy
from tests.authorisation.bodies import body_for, input_of
from tests.authorisation.callers import HOLDS, Caller
from tests.authorisation.calls import code_of, parameters_of, send
from tests.authorisation.worlds import ids_of, state_of_the_database
from tests.dashboard.world import World
from tradingplatform.access_table import Route, routes

# What a caller that is let in may be told: done, wrong input, not now, the venue does not answer.
LET_IN = {200, 201, 202, 204, 400, 409, 422, 503}
# Refusals within a view that only a key meets: it is no person, or is limited to its accounts.
KEY_REFUSALS = {
    "key_is_limited",
    "session_needed",
    "permission_denied",
    "This takes a signed-in person, not a key.",
}
# What is missing is the caller's own, not a row that the path names.
OWN_STATE = {"mfa_not_enrolled", "mfa_not_enabled"}
# Public routes that look at the credential themselves, so that a bad one is a 401 of theirs.
DOORS = ("/auth/", "/webhook/")


def rest_routes() -> list[Route]:
    """What is called with a header: everything that REST framework serves, and alerts."""
    return [each for each in routes() if hasattr(each.view, "cls") or "/webhook/" in each.path]


def expected(route: Route, caller: Caller) -> int | None:
    """The status of a refusal, None where the caller is let in."""
    assert route.policy is not None
    if route.policy is Policy.PUBLIC:
        return None
    if not caller.is_known:
        return 401
    if not caller.passes(route.policy):
        return 403
    return 404 if caller.name == "stranger" and parameters_of(route) else None


def fault(route: Route, caller: Caller, response: Any) -> str:
    """What is wrong with an answer, empty when nothing is."""
    wanted, status, code = expected(route, caller), response.status_code, code_of(response)
    said = f"{caller.name}: {route.method} {route.path} answered {status} {code}"
    if wanted is not None:
        return "" if status == wanted else f"{said}, not {wanted}"
    if route.policy is Policy.PUBLIC:
        good = LET_IN | {302, 413, 415} | ({401} if any(d in route.path for d in DOORS) else set())
        return "" if status in good else said
    if status == 404 and code in OWN_STATE and not parameters_of(route):
        return ""
    if status in LET_IN or (status == 403 and caller.name == "key" and code in KEY_REFUSALS):
        return ""
    return said


@contextmanager
def undone() -> Iterator[None]:
    """What is done within is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def own_ids(world: World, caller: Caller) -> dict[str, Any]:
    """The ids of the organisation, and the caller's own session."""
    ids = ids_of(world)
    if caller.person is not None and caller.name != "stranger":
        ids["session_id"] = caller.person.pair.sid
    return ids


@pytest.mark.parametrize("name", HOLDS)
def test_every_route_answers_as_the_table_says(
    name: str, client: Client, world: World, other: World, callers: dict[str, Caller]
) -> None:
    client.raise_request_exception = False
    caller = callers[name]
    ids = own_ids(world, caller)
    named = ids_of(other) if name == "stranger" else ids
    faults = []

    def asked(route: Route) -> str:
        body = body_for(input_of(route.view, route.method), named)
        return fault(route, caller, send(client, route, ids, caller.headers, body))

    # The first use of a key is noted.
    client.get("/api/v1/auth/me", **caller.headers)
    before = state_of_the_database()
    for route in rest_routes():
        if expected(route, caller) is not None:
            faults.append(asked(route))
    assert [each for each in faults if each] == []
    if name != "stranger":
        assert state_of_the_database() == before
    for route in rest_routes():
        if expected(route, caller) is None:
            with undone():
                faults.append(asked(route))
    assert [each for each in faults if each] == []
    assert len(faults) == len(rest_routes())
