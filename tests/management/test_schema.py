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
    routes -= {"/api/v1/groups", "/api/v1/webhook/tradingview/test"}
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


def test_public_routes_name_no_credential(document: dict[str, Any]) -> None:
    login = document["paths"]["/api/v1/auth/login"]["post"]
    me = document["paths"]["/api/v1/auth/me"]["get"]
    assert "security" not in login or login["security"] in ([], [{}])
    assert me["security"] == [{"bearer": []}, {"apiKey": []}]
