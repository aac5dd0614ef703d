"""No form and no body without a serializer sets a column that it does not show."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse

from tests.authorisation.bodies import input_of
from tests.authorisation.callers import Caller
from tests.authorisation.calls import send
from tests.authorisation.test_matrix import own_ids, rest_routes, undone
from tests.authorisation.test_pages import browser_of, dashboard_routes, own_row
from tests.authorisation.worlds import own_models, state_of_the_database
from tests.dashboard.world import World
from tradingplatform.access_table import Route
from tradingplatform.console_table import console_pages
from users.models import User

# What a refused or an unchanged form may leave: the record of who tried.
RESTLESS = {"events.AuditRecord", "events.AuditChain", "events.Event"}
PASSWORD = "long enough words"
NO_SERIALIZER = [
    each
    for each in rest_routes()
    if each.method != "GET" and input_of(each.view, each.method) is None
]
POWERS = ("organisation_id", "role", "is_superuser", "is_staff", "is_active", "email", "username")


def poison(world: World) -> dict[str, Any]:
    """A value for every column there is; links lead to rows of an organisation."""
    found: dict[str, Any] = {}
    for model in own_models():
        for field in model._meta.concrete_fields:
            value = _poison_of(field, world)
            found[field.name] = found[field.attname] = value
    return {**found, "role": "admin", "is_superuser": "on", "is_staff": "on", "user": world.user.pk}


def _poison_of(field: Any, world: World) -> Any:
    linked = {"Organisation": world.organisation.pk, "User": world.user.pk}
    if field.is_relation:
        return linked.get(field.related_model.__name__, world.accounts[0].pk)
    if field.choices:
        return field.choices[-1][0]
    if isinstance(field, models.BooleanField):
        return "on"
    return "777" if field.get_internal_type() != "JSONField" else '{"id": 777}'


def moved(before: dict[str, Any]) -> dict[str, Any]:
    """The tables that changed, and their rows that are new or other."""
    after = state_of_the_database()
    return {
        name: [row for row in rows if row not in before[name]]
        for name, rows in after.items()
        if rows != before[name] and name not in RESTLESS and "Historical" not in name
    }


def changeable() -> Iterator[type[models.Model]]:
    """The models whose rows an administrator changes in the console."""
    for page in console_pages():
        if page.page == "change" and "admin" in page.roles:
            yield next(each for each in admin.site._registry if each._meta.label == page.model)


@pytest.mark.parametrize("model", list(changeable()), ids=lambda each: each._meta.label)
def test_a_console_form_changes_what_it_shows_alone(
    model: type[models.Model], world: World, other: World, callers: dict[str, Caller]
) -> None:
    browser, row = browser_of(callers["admin"]), own_row(model, world)
    if model is User:
        row = callers["viewer"].person.user  # type: ignore[union-attr]
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    page = reverse(f"admin:{name}_change", args=[row.pk])
    context = browser.get(page).context
    form = context["adminform"].form
    shown = {key: form[key].value() for key in form.fields}
    for below in context["inline_admin_formsets"]:
        prefix = below.formset.prefix
        shown |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    sent = {**poison(other), **{key: _sent(value) for key, value in shown.items()}}
    sent = {key: value for key, value in sent.items() if value is not None}
    before, columns = state_of_the_database(), settled(row)
    answer = browser.post(page, sent)
    assert answer.status_code == 302, answer.context["errors"]
    assert set(moved(before)) <= {model._meta.label}
    assert settled(row) == columns


def settled(row: models.Model) -> dict[str, Any]:
    """The stored columns, but for the time of the last change."""
    kept = type(row)._default_manager.filter(pk=row.pk).values().get()
    kept.pop("updated_at", None)
    return kept


def _sent(value: Any) -> Any:
    """As a browser sends it: nothing for an empty box, keys for rows."""
    if isinstance(value, bool):
        return "on" if value else None
    if isinstance(value, list | tuple | models.QuerySet):
        return [getattr(each, "pk", each) for each in value]
    return value


def new_rows(world: World, callers: dict[str, Caller]) -> dict[str, dict[str, Any]]:
    """A good form for each model that is made in the console."""
    own, account = world.organisation.pk, world.accounts[0].pk
    viewer = callers["viewer"].person
    assert viewer is not None
    return {
        "accounts_account": {
            "venue": "rehearsal", "name": "fresh", "mode": "paper",
            "api_key": "fresh-key-0123456789", "api_secret": "fresh-secret-0123456789",
        },
        "accounts_accountgrant": {"user": viewer.user.pk, "account": account, "can_read": "on"},
        "bots_bot": {"name": "fresh", "timeframe": "1h", "with_token": "on"},
        "groups_group": {
            "name": "fresh", "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0,
        },
        "riskmgmt_killswitch": {
            "scope": "organisation", "level": "HALTED", "confirm": "HALTED", "reason": "drill",
        },
        "riskmgmt_risklimit": {"scope": "account", "scope_id": account, "max_order_value": "5"},
        "users_apikey": {"user": viewer.user.pk, "label": "fresh"},
        "users_user": {
            "username": "fresh", "email": "fresh@example.test", "role": "viewer",
            "password": PASSWORD,
        },
    } | {"own": {"organisation": own}}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "accounts_account",
        "accounts_accountgrant",
        "bots_bot",
        "groups_group",
        "riskmgmt_killswitch",
        "riskmgmt_risklimit",
        "users_apikey",
        "users_user",
    ],
)
def test_a_new_row_of_the_console_has_what_its_form_shows_alone(
    name: str, world: World, other: World, callers: dict[str, Caller]
) -> None:
    forms, page = new_rows(world, callers), reverse(f"admin:{name}_add")
    browser, own = browser_of(callers["admin"]), forms["own"]
    context = browser.get(page).context
    form = context["adminform"].form if "adminform" in context else context["form"]
    shown = {key: _sent(form[key].value()) for key in form.fields}
    good = {key: value for key, value in shown.items() if value is not None} | forms[name]
    unshown = {key: value for key, value in poison(other).items() if key not in form.fields}
    before = state_of_the_database()
    foreign = {**unshown, **good, "organisation": other.organisation.pk}
    if "organisation" in form.fields:
        assert browser.post(page, foreign).status_code in (200, 422)
        assert moved(before) == {}
    answer = browser.post(page, {**unshown, **good, **own})
    assert answer.status_code in (200, 302)
    label = next(
        each._meta.label for each in admin.site._registry if each._meta.label_lower == _dotted(name)
    )
    made = moved(before)
    assert len(made[label]) == 1, made
    model = next(each for each in own_models() if each._meta.label == label)
    row = model._default_manager.latest("pk")
    for field in model._meta.concrete_fields:
        if field.name in ("organisation", "user", "account", "id"):
            continue
        if field.name not in form.fields and field.attname in unshown:
            assert str(getattr(row, field.attname)) not in ("777", "on"), field.name
    assert getattr(row, "organisation_id", world.organisation.pk) == world.organisation.pk
    assert (getattr(row, "is_superuser", False), getattr(row, "is_staff", False)) == (False, False)


def _dotted(name: str) -> str:
    return name.replace("_", ".", 1)


def rights() -> list[tuple[Any, ...]]:
    """What everybody is and may, whoever they are."""
    return list(User.objects.order_by("pk").values_list("pk", *POWERS))


def rows_of_others(world: World) -> dict[str, Any]:
    """Every row that an organisation owns."""
    return {
        model._meta.label: list(
            model._default_manager.filter(organisation=world.organisation).order_by("pk").values()
        )
        for model in own_models()
        if any(field.name == "organisation" for field in model._meta.concrete_fields)
        and "Historical" not in model.__name__
    }


@pytest.mark.parametrize(
    "route",
    [each for each in dashboard_routes() if each.method == "POST"],
    ids=lambda each: each.path,
)
def test_a_form_of_the_dashboard_gives_no_rights_and_reaches_no_other_organisation(
    route: Route, world: World, other: World, callers: dict[str, Caller]
) -> None:
    ids = own_ids(world, callers["trader"])
    ids["sid"] = callers["trader"].person.pair.sid  # type: ignore[union-attr]
    before = rights(), rows_of_others(other)
    form = {
        **poison(other),
        "request_id": "0123456789abcdef0123456789abcdef",
        "reason": "drill",
        "level": "HALTED",
        "scope": "account",
        "confirm": "HALTED",
    }
    path = route.path
    for name, value in ids.items():
        path = path.replace(f"<{name}>", str(value))
    for name in ("trader", "admin"):
        with undone():
            answer = browser_of(callers[name]).post(path, form)
            assert answer.status_code < 500, answer.content
            assert (rights(), rows_of_others(other)) == before


@pytest.mark.parametrize("route", NO_SERIALIZER, ids=lambda each: f"{each.method} {each.path}")
def test_a_body_without_a_serializer_gives_no_rights_and_reaches_no_other_organisation(
    route: Route, client: Client, world: World, other: World, callers: dict[str, Caller]
) -> None:
    admin_ = callers["admin"]
    ids = own_ids(world, admin_)
    before = rights(), rows_of_others(other)
    with undone():
        answer = send(client, route, ids, admin_.headers, poison(other))
        assert answer.status_code < 500, answer.content
        assert (rights(), rows_of_others(other)) == before


@pytest.mark.parametrize(
    "name", ["organisation_id", "user_id", "role", "status", "created_at", "state", "id"]
)
def test_a_command_with_a_column_that_is_no_field_is_refused(
    name: str, client: Client, world: World, other: World, callers: dict[str, Caller]
) -> None:
    route = next(each for each in NO_SERIALIZER if each.path == "/position/commands")
    item = {
        "account_id": world.accounts[0].pk,
        "command": "send_order",
        "request_id": "request-1",
        "payload": {"symbol": "BTC/USDT", "side": "buy", "order_type": "market", "qty": "1"},
    }
    payload: Any = item["payload"]
    before = state_of_the_database()
    for body in ({**item, name: 1}, {**item, "payload": {**payload, name: 1}}):
        answer = send(client, route, {}, callers["admin"].headers, body)
        (result,) = answer.json()["results"]
        assert (result["ok"], result["error"]["code"]) == (False, "validation_error")
        assert any(each.endswith(name) for each in result["error"]["fields"])
    assert moved(before) == {}


def test_there_are_forms_to_try() -> None:
    assert {each._meta.label for each in changeable()} >= {"users.User", "bots.Bot"}
    assert {each.path for each in NO_SERIALIZER} >= {"/position/commands"}
