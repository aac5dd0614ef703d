"""The access log: off unless asked for, and without what may carry a credential."""

import logging
from typing import Any

import pytest
from django.test import Client

MARKER = "marker0123456789abcdef"


@pytest.mark.django_db
@pytest.mark.parametrize("wanted", [True, False])
def test_a_request_is_a_line_without_its_query_and_headers(
    client: Client, settings: Any, caplog: pytest.LogCaptureFixture, wanted: bool
) -> None:
    settings.ACCESS_LOG = wanted
    with caplog.at_level(logging.INFO, logger="tradingplatform.access"):
        client.get(f"/api/v1/auth/me?token={MARKER}", HTTP_X_API_KEY=f"tp_{MARKER}")
    lines = [record.getMessage() for record in caplog.records if record.name.endswith(".access")]
    assert len(lines) == wanted
    for line in lines:
        assert line.startswith("GET /api/v1/auth/me 401 ")
        assert line.endswith(" ms 127.0.0.1")
    assert MARKER not in caplog.text


@pytest.mark.django_db
def test_behind_a_trusted_proxy_the_line_names_the_client(
    client: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ACCESS_LOG, settings.TRUSTED_PROXIES = True, ["127.0.0.1/32"]
    with caplog.at_level(logging.INFO, logger="tradingplatform.access"):
        client.get("/api/v1/auth/me", HTTP_X_FORWARDED_FOR="9.9.9.9, 10.1.2.3")
    lines = [record.getMessage() for record in caplog.records if record.name.endswith(".access")]
    assert len(lines) == 1
    assert lines[0].endswith(" ms 10.1.2.3")
