"""Two organisations full of markers: nothing of the one is seen as the other, anywhere."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from surfaces.policy import Policy
from tests.authorisation.callers import Caller, limited_key
from tests.authorisation.calls import parameters_of, send
from tests.authorisation.markers import MARK, mark, rows_of
from tests.authorisation.test_matrix import rest_routes, undone
from tests.authorisation.test_pages import browser_of, dashboard_routes
from tests.authorisation.worlds import ids_of
from tests.dashboard.world import World

HIDDEN = re.compile(rf"{MARK}\d+|Acme|acme-user")
QUERIES = ("", "?q=LEAK", "?before=99999999", "?account=7130001", "?state=closed")


@pytest.fixture
def marked(world: World, other: World, callers: dict[str, Caller]) -> World:
    """The organisation Acme, every text of it a marker; its ids as they were."""
    assert mark(world) > 200
    return world


def seen_in(answers: Iterator[tuple[str, Any]], hidden: re.Pattern[str] = HIDDEN) -> list[str]:
    """Where something hidden was shown."""
    found = []
    for place, answer in answers:
        text = b"".join(answer).decode() if answer.streaming else answer.content.decode()
        shown = hidden.search(text + str(dict(answer.headers)))
        if shown:
            found.append(f"{place}: {shown[0]}")
    return found


def every_answer(client: Client, headers: dict[str, str], *worlds: World) -> Iterator[Any]:
    """Every REST route with own and with foreign ids, the document, and error pages."""
    for world in worlds:
        ids = ids_of(world)
        for route in rest_routes():
            with undone():
                yield f"{route.method} {route.path}", send(client, route, ids, headers)
    for path in ("/api/schema/", "/api/docs/", "/api/v1/none", "/v1/none", "/none", "/healthz"):
        yield path, client.get(path, **headers)


def every_page(browser: Client, *worlds: World) -> Iterator[Any]:
    """Every page of the dashboard, with filters too."""
    for world in worlds:
        ids = ids_of(world)
        for route in dashboard_routes():
            if route.policy is Policy.PUBLIC:
                continue
            with undone():
                yield f"{route.method} {route.path}", send(browser, route, ids, {})
            if route.method == "GET" and not parameters_of(route):
                for query in QUERIES:
                    yield route.path + query, browser.get(route.path + query)
        for name in ("candles", "equity"):
            path = f"/dashboard/data/{name}?account={ids['account_id']}&symbol=BTC/USDT"
            yield path, browser.get(path)


def every_console_page(browser: Client, *worlds: World) -> Iterator[Any]:
    """Lists, searches, exports, forms and rows of every model."""
    for path in ("/admin/", "/admin/search/?s=LEAK"):
        yield path, browser.get(path)
    for model, owner in admin.site._registry.items():
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        listing = reverse(f"{base}_changelist")
        for query in ("", "?q=LEAK", "?all=1", "?organisation__id__exact=7130001"):
            yield listing + query, browser.get(listing + query)
        yield f"{base}_add", browser.get(reverse(f"{base}_add"))
        if hasattr(owner, "has_export_permission"):
            path = reverse(f"{base}_export")
            yield path, browser.post(path, {"format": "0", "resource": "0"})
        for world in worlds:
            row = (rows_of(model, world) or model._default_manager.none()).first()
            for page in ("change", "history", "delete") if row is not None else ():
                yield f"{base}_{page}", browser.get(reverse(f"{base}_{page}", args=[row.pk]))


def test_no_route_shows_another_organisation(
    client: Client, marked: World, other: World, callers: dict[str, Caller]
) -> None:
    client.raise_request_exception = False
    headers = callers["stranger"].headers
    assert seen_in(every_answer(client, headers, other, marked)) == []


def test_the_markers_are_seen_by_their_own(
    client: Client, marked: World, callers: dict[str, Caller]
) -> None:
    client.raise_request_exception = False
    assert len(seen_in(every_answer(client, callers["admin"].headers, marked))) >= 8
    person = callers["admin"].person
    assert person is not None
    person.user.refresh_from_db()
    browser = browser_of(callers["admin"])
    assert len(seen_in(every_page(browser, marked))) >= 10
    assert len(seen_in(every_console_page(browser, marked))) >= 30


def test_no_page_shows_another_organisation(
    marked: World, other: World, callers: dict[str, Caller]
) -> None:
    browser = browser_of(callers["stranger"])
    assert seen_in(every_page(browser, other, marked)) == []


def test_no_console_page_shows_another_organisation(
    marked: World, other: World, callers: dict[str, Caller]
) -> None:
    browser = browser_of(callers["stranger"])
    assert seen_in(every_console_page(browser, other, marked)) == []


def test_a_limited_key_is_shown_nothing_of_other_accounts(
    client: Client, world: World, callers: dict[str, Caller]
) -> None:
    client.raise_request_exception = False
    admin_person = callers["admin"].person
    assert admin_person is not None
    header = limited_key(admin_person, [world.accounts[1].pk])
    hidden = world.accounts[0]
    hidden.name = f"{MARK}1"
    hidden.save()
    marker = re.compile(rf"{MARK}\d+")
    own = every_answer(client, callers["admin"].headers, world)
    assert len(seen_in(own, marker)) >= 5
    assert seen_in(every_answer(client, header, world), marker) == []
