"""A server process on the test's database, the rehearsal exchange, and a headless Chromium."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.dashboard.world import World, fill, make_world
from tests.ground.ports import free_port
from tests.waiting import PATIENCE, wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a Chromium these tests are skipped; REQUIRE_BROWSER makes its absence a failure."""
    if CHROMIUM or os.environ.get("REQUIRE_BROWSER"):
        return
    skip = pytest.mark.skip(reason="no chromium on this machine (apt-get install chromium)")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(skip)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser per module; Django is told not to mind the browser's event loop."""
    assert CHROMIUM, "chromium is not installed"
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"the server of {address} ended"
    try:
        return httpx.get(address, timeout=PATIENCE).status_code < 500
    except httpx.HTTPError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def world(transactional_db: None) -> World:
    """The own tenant, filled; its user may enter the console."""
    own = make_world("Acme", is_superuser=True)
    fill(own)
    return own


def venues_at(port: int) -> dict[str, dict[str, str]]:
    """The rehearsal exchange as the operator declares it."""
    return {"rehearsal": {"ccxt": "binance", "base_url": f"http://127.0.0.1:{port}"}}


@pytest.fixture
def venue_port() -> int:
    """Where the rehearsal exchange listens."""
    return free_port()


@pytest.fixture
def server(
    world: World, venue_port: int, child_environment: dict[str, str], tmp_path: Path
) -> Iterator[str]:
    """The address of a server process that shares the test's database."""
    port = free_port()
    manage = str(Path(settings.BASE_DIR) / "manage.py")
    venues = venues_at(venue_port)
    environment = {**child_environment, "EXCHANGE_VENUES": json.dumps(venues)}
    exchange = subprocess.Popen(
        [
            sys.executable,
            manage,
            "simulator",
            "--port",
            str(venue_port),
            "--data",
            str(tmp_path / "exchange"),
        ],
        env=environment,
    )
    web = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "daphne",
            "-b",
            "127.0.0.1",
            "-p",
            str(port),
            "tradingplatform.asgi:application",
        ],
        env=environment,
        cwd=settings.BASE_DIR,
    )
    try:
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}/healthz", web))
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(web)
        _stop(exchange)


@pytest.fixture
def session_cookie(world: World) -> str:
    """A signed-in session of the own tenant's user."""
    client = Client()
    client.force_login(world.user)
    return client.cookies["sessionid"].value


def stranger(chromium: Browser, *, width: int = 1280, scheme: str = "light") -> BrowserContext:
    """A browser profile of its own, signed in nowhere, that waits as long as a page takes."""
    context = chromium.new_context(
        viewport={"width": width, "height": 860},
        color_scheme=scheme,  # type: ignore[arg-type]
        has_touch=width < 500,
    )
    context.set_default_timeout(PATIENCE * 1000)
    return context


def signed_in(
    chromium: Browser, server: str, cookie: str, *, width: int = 1280, scheme: str = "light"
) -> BrowserContext:
    """A browser profile of its own, signed in."""
    context = stranger(chromium, width=width, scheme=scheme)
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": server}])
    return context
