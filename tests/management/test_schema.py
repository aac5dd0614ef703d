"""The OpenAPI document of these routes."""

import re
from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from surfaces.management.schema import complete
from surfaces.management.urls import urlpatterns


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document, made without a warning."""
    reset_generator_stats()
    made = complete(SchemaGenerator(patterns=urlpatterns).get_schema(request=None, public=True))
    assert not GENERATOR_STATS
    return made


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate_schema(document)


def test_it_shows_every_route_as_the_specification_writes_it(document: dict[str, Any]) -> None:
    routes = set()
    for pattern in urlpatterns:
        text = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", str(pattern.pattern))
        routes.add("/" + text.removeprefix("^").removesuffix("/?$"))
    routes -= {"/api/v1/groups"}
    assert routes <= set(document["paths"])
    assert "/api/v1/groups/" in document["paths"]


def test_bot_writes_show_query_parameters_and_others_a_body(document: dict[str, Any]) -> None:
    status = document["paths"]["/api/v1/bots/{bot_id}/status"]["post"]
    assert {each["name"]: each["in"] for each in status["parameters"]} == {
        "bot_id": "path",
        "status": "query",
    }
    assert "requestBody" not in status
    assert "requestBody" in document["paths"]["/api/v1/accounts/create"]["post"]


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """The document of all dialects, made without a warning."""
    reset_generator_stats()
    made = complete(SchemaGenerator().get_schema(request=None, public=True))
    assert not GENERATOR_STATS
    validate_schema(made)
    return made


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/orders", {"status", "symbol", "account_id", "limit", "cursor"}),
        ("/positions", {"limit", "cursor"}),
        ("/wallet/balance", {"book", "account_id"}),
        ("/v1/orders/recent", {"limit", "cursor"}),
        ("/v1/portfolio", {"mode"}),
        ("/v1/portfolio/history", {"mode", "limit", "cursor"}),
        ("/api/v1/trading/positions", {"status", "symbol", "account_id", "limit", "cursor"}),
        (
            "/position/orders/open",
            {"account_id", "symbol", "side", "status", "magic_id", "position_id"}
            | {"since", "until", "limit", "cursor"},
        ),
    ],
)
def test_lists_show_their_query_parameters(
    whole: dict[str, Any], path: str, names: set[str]
) -> None:
    parameters = whole["paths"][path]["get"]["parameters"]
    assert {each["name"] for each in parameters if each["in"] == "query"} == names
    assert all(each["description"] for each in parameters)


def test_commands_show_their_fields(whole: dict[str, Any]) -> None:
    body = whole["paths"]["/position/commands"]["post"]["requestBody"]
    lone, batch = body["content"]["application/json"]["schema"]["oneOf"]
    payloads = {each["title"]: each["properties"]["payload"] for each in lone["oneOf"]}
    assert payloads["close_by"]["required"] == ["position_id_a", "position_id_b"]
    assert set(payloads["change_order"]["properties"]) == {"order_id", "new_price", "new_qty"}
    assert (batch["items"], batch["maxItems"]) == (lone, 100)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/v1/orders"),
        ("post", "/api/v1/trading/orders"),
        ("delete", "/api/v1/trading/orders/{order_id}"),
        ("post", "/orders/cancel/{order_id}"),
        ("post", "/api/v1/trading/close-position/{account_id}"),
    ],
)
def test_orders_show_the_header_of_their_key(whole: dict[str, Any], method: str, path: str) -> None:
    parameters = whole["paths"][path][method]["parameters"]
    assert [each["name"] for each in parameters if each["in"] == "header"] == ["Idempotency-Key"]


def test_public_routes_name_no_credential(document: dict[str, Any]) -> None:
    login = document["paths"]["/api/v1/auth/login"]["post"]
    me = document["paths"]["/api/v1/auth/me"]["get"]
    assert "security" not in login or login["security"] in ([], [{}])
    assert me["security"] == [{"bearer": []}, {"apiKey": []}]
