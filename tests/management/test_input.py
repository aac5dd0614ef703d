"""Input that cannot be accepted: the same careful answer everywhere, and nothing moves."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import Account
from events.models import Event
from groups.models import Group
from tests.management.answers import refusal
from tests.management.conftest import Call
from tests.users.people import Person

GROUP = {"name": "Group_1", "risk_limit": 5.0}


def post(client: Client, person: Person, raw: bytes | str, kind: str = "application/json") -> Any:
    """A raw body for a new group."""
    return client.post("/api/v1/groups/", data=raw, content_type=kind, **person.bearer)


@pytest.mark.parametrize(
    "raw",
    [
        "{",
        "",
        "null",
        "[]",
        '"text"',
        "1",
        '{"name": "Group_1", "risk_limit": NaN}',
        '{"name": "Group_1", "risk_limit": -Infinity}',
        '{"name": "Group_1", "name": "Group_2"}',
        '{"name": "Group_1", "description": "a\\u0000b"}',
        '{"name": "Group_1", "description": "\\ud800"}',
        b'{"name": "\xff\xfe"}',
        "[" * 100_000,
        '{"name": "Group_1", "x": ' + "[" * 30 + "]" * 30 + "}",
        '{"name": "Group_1", "risk_limit": ' + "9" * 200 + "}",
    ],
)
def test_a_body_that_is_no_proper_json_object_is_refused(
    client: Client, admin: Person, raw: str
) -> None:
    response = post(client, admin, raw)
    if raw == "":
        assert response.status_code == 422
    else:
        refusal(response, 400, "invalid_json")
    assert not Group.objects.exists()


def test_a_body_beyond_a_megabyte_is_refused(client: Client, admin: Person) -> None:
    raw = json.dumps({"name": "Group_1", "description": "x" * 1_000_001})
    refusal(post(client, admin, raw), 413, "too_large")
    assert not Group.objects.exists()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/xml"])
def test_another_content_type_is_refused(client: Client, admin: Person, kind: str) -> None:
    refusal(post(client, admin, json.dumps(GROUP), kind), 415, "unsupported_media_type")
    assert not Group.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"name": 7.5}, "name"),
        ({"name": "x"}, "name"),
        ({"risk_limit": "5,5"}, "risk_limit"),
        ({"risk_limit": True}, "risk_limit"),
        ({"risk_limit": "NaN"}, "risk_limit"),
        ({"risk_limit": 0}, "risk_limit"),
        ({"max_drawdown": "1e30"}, "max_drawdown"),
        ({"accounts": "1"}, "accounts"),
        ({"accounts": [1.5]}, "accounts.0"),
        ({"accounts": [-1]}, "accounts.0"),
        ({"accounts": [10**30]}, "accounts.0"),
        ({"accounts": [999_999]}, "accounts"),
        ({"organisation": 1}, "organisation"),
        ({"id": 5}, "id"),
    ],
)
def test_a_wrong_field_is_named(
    call: Call, admin: Person, change: dict[str, Any], field: str
) -> None:
    events = Event.objects.count()
    body = call("POST", "/groups/", {**GROUP, **change}, admin).json()
    assert list(body["errors"]) == [field]
    assert body["error"]["details"]["field"] == field
    assert body["error"]["details"]["reason"] == body["errors"][field]
    assert not Group.objects.exists()
    assert Event.objects.count() == events


@pytest.mark.parametrize(
    "field",
    [
        "urls",
        "hostname",
        "proxyUrl",
        "httpProxy",
        "pinned_address",
        "organisation_id",
        "book",
        "balance",
        "status",
    ],
)
def test_nobody_sets_hosts_proxies_or_what_the_platform_sets(
    call: Call, admin: Person, field: str
) -> None:
    body = {"exchange": "rehearsal", "api_key": "k" * 20, "api_secret": "s" * 20, field: "x"}
    answer = refusal(call("POST", "/accounts/create", body, admin), 422, "validation_error")
    assert list(answer["errors"]) == [field]
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    "path",
    ["/accounts/{}", "/groups/{}", "/bots/{}", "/bots/{}/accounts", "/trading/positions/{}"],
)
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "abc", "9" * 400, "%00", "1%20", "١٢"])
def test_a_path_id_that_is_none_is_not_found(
    call: Call, admin: Person, path: str, text: str
) -> None:
    response = call("GET", path.format(text), person=admin)
    what = path.split("/")[1].rstrip("s") if "trading" not in path else "account"
    refusal(response, 404, f"{what}_not_found")


@pytest.mark.parametrize("query", ["skip=-1", "limit=x", "limit=0", "skip=" + "9" * 30, "skip=1.5"])
def test_a_wrong_page_is_refused(call: Call, admin: Person, query: str) -> None:
    answer = refusal(call("GET", f"/accounts/list?{query}", person=admin), 422, "validation_error")
    assert list(answer["errors"]) == [query.split("=")[0]]


def test_a_page_is_capped_at_a_hundred(call: Call, admin: Person) -> None:
    answer = call("GET", "/accounts/list?limit=1000000", person=admin).json()
    assert answer["pagination"] == {"total": 0, "skip": 0, "limit": 100}


def test_money_arrives_exactly(call: Call, admin: Person) -> None:
    raw = '{"name": "Exact", "risk_limit": 0.123456789012345678}'
    response = call("POST", "/groups/", raw, admin)
    assert response.status_code == 200
    assert str(Group.objects.get().risk_limit) == "0.123456789012345678"
