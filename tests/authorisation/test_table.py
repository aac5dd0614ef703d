"""The table of routes is complete, and the page that shows it is the code's."""

from pathlib import Path

import pytest
from django.conf import settings

from surfaces.policy import Policy, declaration_of
from tests.authorisation.calls import parameters_of
from tests.authorisation.worlds import missing_ids
from tradingplatform import access_table
from tradingplatform.access_table import SOCKET, Route, routes

# Nothing else may be public.
OPEN = (
    "/admin/log",
    "/admin/password_change/",
    "/api/docs/",
    "/api/schema/",
    "/api/v1/auth/",
    "/api/v1/health",
    "/api/v1/webhook/",
    "/csrf-token",
    "/dashboard/log",
    "/dashboard/reset/",
    "/healthz",
    "/v1/auth/",
    "/v1/health",
)
PAGE = Path(settings.BASE_DIR) / "docs" / "access.md"


def test_every_route_declares_a_policy() -> None:
    undeclared = [f"{each.method} {each.path}" for each in routes() if each.policy is None]
    assert undeclared == []


def test_a_route_without_a_policy_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed() -> None:
        """A view that declares nothing."""

    monkeypatch.setattr(access_table, "addresses", lambda *_: iter([("/new", closed)]))
    assert [each.policy for each in routes() if each.path == "/new"] == [None]


@pytest.mark.parametrize(
    "route", [each for each in routes() if hasattr(each.view, "cls")], ids=lambda each: each.path
)
def test_a_mapping_names_the_methods_the_view_has(route: Route) -> None:
    declared = declaration_of(route.view)
    if isinstance(declared, dict):
        taken = {each.method for each in routes() if each.view is route.view}
        assert taken == set(declared)


def test_every_kind_of_route_is_in_the_table() -> None:
    found = routes()
    paths = {each.path for each in found}
    assert {"/", "/healthz", "/api/schema/", "/dashboard/", "/api/v1/bots/list"} <= paths
    assert {"/ws/<user_id>", "/dashboard/ws"} <= {
        each.path for each in found if each.method == SOCKET
    }
    assert {each.method for each in found} >= {"GET", "POST", "PATCH", "DELETE", SOCKET}
    assert len(found) >= 70


def test_every_parameter_has_ids_to_test_with() -> None:
    known = set(missing_ids())
    unknown = {name for each in routes() for name in parameters_of(each)} - known
    assert unknown == set(), "add them to tests/authorisation/worlds.py"


def test_only_what_must_be_is_open_to_everybody() -> None:
    doors = sorted({each.path for each in routes() if each.policy is Policy.PUBLIC})
    assert [each for each in doors if not each.startswith(OPEN) and each != "/"] == []


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == access_table.written(), (
        "run: manage.py access_table > docs/access.md"
    )
