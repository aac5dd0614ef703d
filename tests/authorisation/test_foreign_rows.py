"""Another organisation's rows are answered for as rows that do not exist, byte for byte."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from surfaces.policy import Policy
from tests.authorisation.bodies import body_for, id_field, input_of, value_for
from tests.authorisation.callers import Caller, limited_key
from tests.authorisation.calls import compared, parameters_of, send
from tests.authorisation.test_matrix import rest_routes, undone
from tests.authorisation.worlds import ids_of, missing_ids, state_of_the_database
from tests.dashboard.world import World
from tradingplatform.access_table import Route

SECRET_ROUTES = [
    each for each in rest_routes() if each.policy is not Policy.PUBLIC and parameters_of(each)
]


def answers(
    client: Client, route: Route, own: dict[str, Any], changed: dict[str, Any], headers: Any
) -> tuple[Any, ...]:
    """What a call with some ids of somebody else's gives, and what it left behind."""
    with undone():
        response = send(client, route, {**own, **changed}, headers)
        return compared(response, *changed.values())


@pytest.mark.parametrize("route", SECRET_ROUTES, ids=lambda each: f"{each.method} {each.path}")
def test_a_foreign_id_in_the_path_answers_as_a_missing_one(
    route: Route, client: Client, world: World, other: World, callers: dict[str, Caller]
) -> None:
    own, foreign, missing = ids_of(other), ids_of(world), missing_ids()
    stranger = callers["stranger"]
    own["session_id"] = stranger.person.pair.sid  # type: ignore[union-attr]
    for name in parameters_of(route):
        told = answers(client, route, own, {name: foreign[name]}, stranger.headers)
        assert told[0] == 404
        assert told == answers(client, route, own, {name: missing[name]}, stranger.headers)


def id_inputs() -> Iterator[Any]:
    """Every field of every body that names a row, with its route."""
    for route in rest_routes():
        serializer = input_of(route.view, route.method)
        for name, each in serializer().fields.items() if serializer else ():
            if id_field(each):
                yield pytest.param(route, name, id=f"{route.method} {route.path} {name}")


@pytest.mark.parametrize(("route", "name"), list(id_inputs()))
def test_a_foreign_id_in_a_body_answers_as_a_missing_one(
    route: Route,
    name: str,
    client: Client,
    world: World,
    other: World,
    callers: dict[str, Caller],
) -> None:
    own, foreign, missing = ids_of(other), ids_of(world), missing_ids()
    serializer = input_of(route.view, route.method)
    assert serializer is not None
    kept = body_for(serializer, own)
    field = serializer().fields[name]
    told = []
    for ids in (foreign, missing):
        named = value_for(name, field, ids)
        bodies = [{**kept, name: named}]
        if isinstance(named, list):
            # Own rows beside it do not carry it through.
            bodies.append({**kept, name: [*kept[name], *named]})
        for body in bodies:
            with undone():
                before = state_of_the_database()
                response = send(client, route, own, callers["stranger"].headers, body)
                ids_named = named if isinstance(named, list) else [named]
                told.append(compared(response, *ids_named))
                links = linked_organisations(before, state_of_the_database())
                assert links == set()
    half = len(told) // 2
    assert told[:half] == told[half:]


def linked_organisations(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Link tables that a call with a foreign id changed."""
    tables = {"groups.Membership", "bots.Bot_accounts", "bots.Bot_groups", "accounts.AccountGrant"}
    return {name for name in tables if before[name] != after[name]}


@pytest.mark.parametrize(
    "route",
    [each for each in SECRET_ROUTES if "account_id" in parameters_of(each)],
    ids=lambda each: f"{each.method} {each.path}",
)
def test_a_limited_key_is_told_of_other_accounts_as_of_missing_ones(
    route: Route, client: Client, world: World, callers: dict[str, Caller]
) -> None:
    own = ids_of(world)
    admin = callers["admin"].person
    assert admin is not None
    header = limited_key(admin, [world.accounts[1].pk])
    other_account = {"account_id": own["account_id"]}
    told = answers(client, route, own, other_account, header)
    assert told[0] in (403, 404)
    assert told == answers(client, route, own, {"account_id": missing_ids()["account_id"]}, header)
