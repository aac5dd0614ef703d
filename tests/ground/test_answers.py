"""What every answer carries, and what only pages pay for."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from django.test import AsyncClient, Client

from tradingplatform.asgi import application


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole ASGI application."""
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


async def test_liveness_asks_no_database(http: httpx.AsyncClient) -> None:
    # Without the database mark any query would raise.
    answer = await http.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


async def test_answer_names_its_request(http: httpx.AsyncClient) -> None:
    first, second = [(await http.get("/healthz")).headers["X-Request-ID"] for _ in range(2)]
    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert first != second


async def test_client_may_choose_the_request_id(http: httpx.AsyncClient) -> None:
    answer = await http.get("/healthz", headers={"X-Request-ID": "mine-0001"})
    assert answer.headers["X-Request-ID"] == "mine-0001"


@pytest.mark.parametrize("offered", ["short", "x" * 65, "line%0d%0abreak", "<script>alert"])
async def test_unfit_request_id_is_replaced(http: httpx.AsyncClient, offered: str) -> None:
    answer = await http.get("/healthz", headers={"X-Request-ID": offered})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


@pytest.mark.parametrize("path", ["/healthz", "/no/such/page"])
async def test_api_answer_may_load_nothing_from_outside(http: httpx.AsyncClient, path: str) -> None:
    policy = (await http.get(path)).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "'unsafe-eval'" not in policy
    assert not re.search(r"script-src[^;]*unsafe-inline", policy)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs/"])
def test_page_allows_no_inline_script(client: Client, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert answer.status_code == 200
    assert re.search(r"script-src 'self'", policy)
    assert not re.search(r"script-src[^;]*unsafe-inline", policy)
    assert ("'unsafe-eval'" in policy) == path.startswith("/admin/")


@pytest.mark.django_db
def test_page_names_no_address_outside(client: Client) -> None:
    html = client.get("/api/docs/").content.decode()
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", html)


async def test_session_machinery_steps_aside_for_apis(async_client: AsyncClient) -> None:
    async_client.cookies["sessionid"] = "a-session-that-would-be-looked-up"
    answer = await async_client.get("/healthz")
    request: Any = answer.asgi_request  # type: ignore[attr-defined]
    assert not hasattr(request, "session")
    assert not hasattr(request, "user")


@pytest.mark.django_db(transaction=True)
async def test_form_of_a_page_needs_its_token() -> None:
    strict = AsyncClient(enforce_csrf_checks=True)
    answer = await strict.post("/admin/login/", {"username": "admin", "password": "x"})
    assert answer.status_code == 403


async def test_static_file_is_served_before_django(http: httpx.AsyncClient) -> None:
    answer = await http.get("/static/unfold/css/styles.css")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/css")
    assert "max-age=300" in answer.headers["Cache-Control"]
    again = await http.get(
        "/static/unfold/css/styles.css",
        headers={"If-Modified-Since": answer.headers["Last-Modified"]},
    )
    assert (again.status_code, again.content) == (304, b"")
    missing = await http.get("/static/no/such/file.js")
    assert missing.status_code == 404


async def test_static_path_cannot_leave_its_folder(http: httpx.AsyncClient) -> None:
    answer = await http.get("/static/../tradingplatform/settings/__init__.py")
    assert answer.status_code == 404
    answer = await http.get("/static/%2e%2e/manage.py")
    assert answer.status_code == 404
