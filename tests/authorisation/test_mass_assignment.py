"""No body sets a column that its request does not name: every model's every field is tried."""

from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers

from tests.authorisation.bodies import body_for, input_of
from tests.authorisation.callers import Caller
from tests.authorisation.calls import send
from tests.authorisation.test_matrix import own_ids, rest_routes
from tests.authorisation.worlds import own_models, state_of_the_database
from tests.dashboard.world import World
from tradingplatform.access_table import Route

WRITING = [each for each in rest_routes() if input_of(each.view, each.method) is not None]
POISON = ("1", 1, True, None, {"id": 1}, [1])
RESTLESS = {"events.AuditRecord", "events.AuditChain"}


def columns() -> list[str]:
    """Every name a column of ours can be set by."""
    fields = [each for model in own_models() for each in model._meta.get_fields()]
    names = {field.name for field in fields} | {getattr(each, "attname", "") for each in fields}
    return sorted({*names, "pk"} - {""})


def test_there_are_columns_to_try() -> None:
    assert {"organisation", "organisation_id", "role", "is_superuser", "balance"} <= set(columns())
    assert len(columns()) > 250


@pytest.mark.parametrize("route", WRITING, ids=lambda each: f"{each.method} {each.path}")
def test_a_column_that_is_no_field_is_refused(route: Route) -> None:
    kind: type[serializers.Serializer] | None = input_of(route.view, route.method)
    assert kind is not None
    ids = {"account_id": 1, "group_id": 1, "user_id": 1}
    good = body_for(kind, ids)
    for number, name in enumerate(columns()):
        if name not in kind().fields:
            form = kind(data={**good, name: POISON[number % len(POISON)]})
            assert not form.is_valid(), name
            assert name in form.errors


@pytest.mark.parametrize("route", WRITING, ids=lambda each: f"{each.method} {each.path}")
def test_a_body_with_a_foreign_column_changes_nothing(
    route: Route, client: Client, world: World, callers: dict[str, Caller]
) -> None:
    admin = callers["superuser"]
    ids = own_ids(world, admin)
    kind: Any = input_of(route.view, route.method)
    before = state_of_the_database()
    for name in ("organisation_id", "role", "is_superuser", "status", "balance", "id"):
        if name not in kind().fields:
            body = {**body_for(kind, ids), name: 1}
            answer = send(client, route, ids, admin.headers, body)
            assert answer.status_code in (400, 422), (name, answer.content)
    assert {k: v for k, v in state_of_the_database().items() if k not in RESTLESS} == {
        k: v for k, v in before.items() if k not in RESTLESS
    }
