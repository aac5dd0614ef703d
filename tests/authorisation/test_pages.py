"""Every page of the dashboard and the console, opened by everybody who can sign in."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import get_resolver, reverse

from surfaces.policy import Policy
from tests.authorisation.callers import Caller
from tests.authorisation.calls import compared, parameters_of, send
from tests.authorisation.test_matrix import expected, undone
from tests.authorisation.worlds import MISSING, ids_of, missing_ids
from tests.dashboard.world import World
from tradingplatform.access_table import SOCKET, Route, addresses, routes
from tradingplatform.console_table import CONSOLE, ConsolePage, console_pages

PEOPLE = ("viewer", "exporter", "trader", "admin", "stranger", "superuser")
NOBODY = ("anonymous", "revoked", "disabled")
LET_IN = {200, 302, 400, 409, 422, 503}
# What a page without an id may also say: a wrong token or code, nothing enrolled.
MAYBE = {401, 404}
UNLIKE = re.compile(
    r'name="csrfmiddlewaretoken" value="\w*"|<code>[0-9a-f]{32}</code>|nonce="[^"]*"'
)
CONSOLE_DOORS = {"/admin/login/", "/admin/logout/", "/admin/password_change/"}


def dashboard_routes() -> list[Route]:
    """The dashboard's pages."""
    return [
        each for each in routes() if each.path.startswith("/dashboard/") and each.method != SOCKET
    ]


def browser_of(caller: Caller) -> Client:
    """A browser signed in as the caller; one whose session is over for those who lost theirs."""
    browser = Client(raise_request_exception=False)
    if caller.person is not None:
        browser.force_login(caller.person.user)
    return browser


def lost_browser(name: str, callers: dict[str, Caller]) -> Client:
    """A browser that was signed in as an administrator, then signed out or locked out."""
    browser = browser_of(callers["admin"]) if name != "anonymous" else Client()
    person = callers["admin"].person
    assert person is not None
    if name == "revoked":
        browser.session.flush()
    elif name == "disabled":
        person.user.is_active = False
        person.user.save()
    return browser


@pytest.mark.parametrize("name", PEOPLE)
def test_every_page_opens_to_whom_the_table_says(
    name: str, world: World, callers: dict[str, Caller]
) -> None:
    caller, ids = callers[name], ids_of(world)
    if name != "stranger" and caller.person is not None:
        ids["sid"] = caller.person.pair.sid
    faults = []
    for route in dashboard_routes():
        browser = browser_of(caller)
        with undone():
            status = send(browser, route, ids, {}).status_code
        wanted = expected(route, caller)
        good = LET_IN if parameters_of(route) else LET_IN | MAYBE
        if status != wanted if wanted else status not in good:
            faults.append(f"{name}: {route.method} {route.path} answered {status}, not {wanted}")
    assert faults == []


@pytest.mark.parametrize("name", NOBODY)
def test_every_page_leads_whoever_is_not_signed_in_to_the_door(
    name: str, world: World, callers: dict[str, Caller]
) -> None:
    browser, ids = lost_browser(name, callers), ids_of(world)
    for route in dashboard_routes():
        if route.policy is not Policy.PUBLIC:
            answer = send(browser, route, ids, {})
            assert answer.status_code == 302, route.path
            assert answer["Location"].startswith("/dashboard/login/?next="), route.path


@pytest.mark.parametrize(
    "route",
    [each for each in dashboard_routes() if parameters_of(each)],
    ids=lambda each: f"{each.method} {each.path}",
)
def test_a_foreign_page_is_the_page_of_a_missing_row(
    route: Route, world: World, other: World, callers: dict[str, Caller]
) -> None:
    foreign, missing = ids_of(world), missing_ids()
    told = []
    for ids in (foreign, missing):
        browser = browser_of(callers["stranger"])
        named = [ids[name] for name in parameters_of(route)]
        status, headers, text = compared(send(browser, route, ids, {}), *named)
        told.append((status, headers, UNLIKE.sub("", text)))
    assert told[0][0] == 404
    assert told[0] == told[1]


def console_addresses() -> list[str]:
    """Every address of the console."""
    found = {path for path, _ in addresses(get_resolver().url_patterns)}
    return sorted(path for path in found if path.startswith(CONSOLE) and path not in CONSOLE_DOORS)


@pytest.mark.parametrize("name", NOBODY)
def test_every_address_of_the_console_needs_a_sign_in(
    name: str, world: World, callers: dict[str, Caller]
) -> None:
    browser = lost_browser(name, callers)
    assert len(console_addresses()) > 200
    for address in console_addresses():
        path = re.sub(r"<\w+>", "1", address)
        for answer in (browser.get(path), browser.post(path)):
            assert answer.status_code in (302, 404) or _is_a_door(path, answer), path
            if answer.status_code == 302:
                assert "/login/" in answer["Location"], path


def _is_a_door(path: str, answer: Any) -> bool:
    """The catalogue of JavaScript texts is the same for everybody."""
    return path == "/admin/jsi18n/"


@pytest.mark.parametrize("name", PEOPLE)
def test_console_pages_open_to_whom_the_table_says(
    name: str, world: World, callers: dict[str, Caller]
) -> None:
    caller = callers[name]
    browser = browser_of(caller)
    role = "admin" if name == "stranger" else name
    faults = []
    for page in console_pages():
        model = _model(page.model)
        row = own_row(model, world)
        is_own = name != "stranger"
        for path in _paths(page, model, row):
            opens = role in page.roles and (is_own or "ROW" not in path)
            status = browser.get(path.replace("ROW", str(getattr(row, "pk", 0)))).status_code
            if (status == 200) != opens or status >= 500:
                faults.append(f"{name}: {page.page} {path} answered {status}")
    assert faults == []


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_a_foreign_row_of_the_console_answers_as_a_missing_one(
    page: str, world: World, other: World, callers: dict[str, Caller]
) -> None:
    count = 0
    for model in admin.site._registry:
        row = own_row(model, world)
        if row is None:
            continue
        told = []
        for key in (row.pk, _missing_key(row.pk)):
            browser = browser_of(callers["stranger"])
            answer = browser.get(_console(model, page, key))
            status, headers, text = compared(answer, key)
            headers.pop("Set-Cookie", None)
            told.append((status, headers, UNLIKE.sub("", text)))
        assert told[0][0] in (302, 403, 404), model
        assert told[0] == told[1], model
        count += 1
    assert count >= 30


def own_row(model: type[models.Model], world: World) -> Any:
    """A row of the organisation, None where the model has none or belongs to the platform."""
    owner: Any = admin.site._registry[model]
    path = owner.organisation_path
    rows = model._default_manager.order_by("pk")
    if path is None:
        return None
    if path == "self":
        return world.organisation
    return rows.filter(**{path: world.organisation}).first()


def _model(label: str) -> type[models.Model]:
    return next(each for each in admin.site._registry if each._meta.label == label)


def _console(model: type[models.Model], page: str, *keys: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=keys)


def _paths(page: ConsolePage, model: type[models.Model], row: Any) -> list[str]:
    """What shows whether a kind of page is open; ``ROW`` stands for a row of the organisation."""
    if page.page in ("add", "export"):
        return [_console(model, page.page)]
    if page.page == "view":
        listing = [_console(model, "changelist")]
        return listing if row is None else [*listing, _console(model, "change", "ROW")]
    return []


def _missing_key(key: Any) -> Any:
    return MISSING if isinstance(key, int) else "0" * len(str(key))
