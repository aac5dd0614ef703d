"""As a newcomer would: from nothing to a TradingView alert that is executed on a group, by the
pages and their help alone; at desktop and phone width.
"""

import os
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, expect

from bots.models import Bot
from common.clock import now
from events.consumers import run_consumers
from events.sequencer import number_events
from exchanges import gateway
from tests.browser.conftest import signed_in, venues_at
from tests.browser.test_dashboard_pages import Watch, pictures
from tests.dashboard.world import World, make_world
from tests.waiting import PATIENCE
from trading.models import Order
from trading.services import execution, reconcile
from webhooks.message import filled_in, sample_values

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE, DESK = 390, 1280


@pytest.fixture
def world(transactional_db: None) -> World:
    """An organisation with its administrator and nothing else."""
    own = make_world("Acme", accounts=0)
    own.bot.delete()
    return own


@pytest.fixture
def workers(server: str, venue_port: int, settings: Any) -> Iterator[None]:
    """What workers and beat do beside the web server, in a thread."""
    settings.EXCHANGE_VENUES = venues_at(venue_port)
    gateway.shutdown()
    ended = threading.Event()
    thread = threading.Thread(target=_work, args=(ended,))
    thread.start()
    yield
    ended.set()
    thread.join()
    gateway.shutdown()


def _work(ended: threading.Event) -> None:
    try:
        while not ended.wait(0.05):
            waiting = list(Order.objects.due_to_send().values_list("pk", flat=True))
            if waiting:
                execution.run(waiting)
            reconcile.poll_due()
            number_events()
            run_consumers()
    finally:
        connection.close()


class Newcomer:
    """Somebody at a browser, looked over the shoulder."""

    def __init__(self, page: Page, server: str, folder: Path | None) -> None:
        self.page = page
        self.server = server
        self.folder = folder
        self.watch = Watch(page, server)
        self._looked: list[str] = []

    def press(self, name: str, *, role: str = "link") -> None:
        """Press the only button or link of this name in what is read."""
        self.page.locator("main").get_by_role(role, name=name, exact=True).click()  # type: ignore[arg-type]

    def look(self, name: str) -> None:
        """Nothing is cut off at either width; BROWSER_PICTURES keeps pictures."""
        if name in self._looked:
            return
        self._looked.append(name)
        for width in (PHONE, DESK):
            self.page.set_viewport_size({"width": width, "height": 860})
            if self.folder is not None:
                path = self.folder / f"steps-{len(self._looked):02d}-{name}-{width}.png"
                self.page.screenshot(path=path, full_page=True)
            over = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{name} scrolls sideways by {over} px at {width}"

    def steps(self) -> list[str]:
        """Open the first steps; which are done."""
        self.page.goto(f"{self.server}/dashboard/first-steps/")
        return self.page.locator("#steps li.done h2").all_inner_texts()

    def add_account(self, name: str) -> None:
        """One account, until its checks have passed."""
        self.press("Add an account")
        self.page.get_by_label("Exchange", exact=True).select_option("rehearsal")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("API key").fill(f"key-of-{name}-0123456789")
        self.page.get_by_label("API secret").fill(f"secret-of-{name}-0123456789")
        self.look("add-account")
        self.press("Add the account", role="button")
        expect(self.page.get_by_text("The account is ready.")).to_be_visible()
        expect(self.page.locator("#exam")).to_contain_text("may trade")
        expect(self.page.locator("#exam")).to_contain_text("10,000")
        self.look("account-checked")
        self.press("Next step")


@pytest.fixture
def newcomer(chromium: Browser, server: str, session_cookie: str, tmp_path: Path) -> Newcomer:
    """Signed in, at the first steps."""
    page = signed_in(chromium, server, session_cookie).new_page()
    folder = pictures(tmp_path) if os.environ.get("BROWSER_PICTURES") else None
    return Newcomer(page, server, folder)


def dry_run(newcomer: Newcomer) -> None:
    """Press the button and wait until the table is another one."""
    newcomer.press("Dry run", role="button")
    expect(newcomer.page.locator("#dry-run table.cards tbody tr")).to_have_count(2)


@pytest.mark.usefixtures("workers")
def test_from_nothing_to_an_alert_that_is_executed_on_a_group(newcomer: Newcomer) -> None:
    page = newcomer.page
    assert newcomer.steps() == []
    newcomer.look("nothing-yet")
    for name in ("first", "second"):
        newcomer.add_account(name)
    newcomer.press("Make a group")
    page.get_by_label("Name").fill("desk")
    for name in ("first", "second"):
        page.get_by_label(f"{name} (rehearsal, rehearsal)").check()
    newcomer.look("new-group")
    newcomer.press("Make the group", role="button")
    expect(page.locator("main h1")).to_have_text("desk")
    newcomer.steps()
    newcomer.press("Make a bot")
    page.get_by_label("Name").fill("Trend")
    page.get_by_label("desk", exact=True).check()
    newcomer.look("new-bot")
    newcomer.press("Make the bot", role="button")
    address = page.locator("#webhook").inner_text()
    newcomer.look("bot-secrets")
    newcomer.press("I have kept them: write the alert message")
    page.get_by_label("Size", exact=False).first.fill("3")
    page.get_by_label("Take profit").fill("5%")
    expect(page.locator("#message")).to_contain_text('"size": "3%"')
    expect(page.locator("#message")).to_contain_text('"takeprofit": "5%"')
    dry_run(newcomer)
    expect(page.locator("#dry-run")).to_contain_text("the bot is paused")
    newcomer.look("paused-dry-run")
    dry_run_address = page.url
    page.locator("main").get_by_role("link", name="Trend", exact=True).click()
    newcomer.press("Activate…")
    newcomer.press("Activate Trend", role="button")
    page.goto(dry_run_address)
    dry_run(newcomer)
    expect(page.locator("#dry-run")).to_contain_text("2 of 2 accounts would place an order")
    newcomer.look("dry-run")
    message = page.locator("#message").inner_text()
    page.goto(f"{newcomer.server}/dashboard/signals/")
    page.wait_for_selector('[data-live-state="live"]')
    _fire(address, message)
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("finished")
    newcomer.look("signals")
    row.get_by_role("link").first.click()
    legs = page.locator('[data-list="legs"] tr')
    expect(legs).to_have_count(2)
    expect(legs.filter(has_text="filled")).to_have_count(2)
    newcomer.look("signal")
    _look_at_what_came_of_it(newcomer)
    assert newcomer.watch.errors == []
    assert newcomer.watch.outside == []
    assert Bot.objects.get().signals_succeeded == 1


def _fire(address: str, message: str) -> None:
    """What TradingView does when the alert goes off."""
    values = sample_values(symbol="BTCUSDT", action="buy", price=Decimal(1), at=now())
    answer = httpx.post(
        address,
        content=filled_in(message, values),
        headers={"Content-Type": "application/json"},
        timeout=PATIENCE,
    )
    assert (answer.status_code, answer.json()["success"]) == (200, True), answer.text


def _look_at_what_came_of_it(newcomer: Newcomer) -> None:
    """The pages of group, bot and account show it; every step is ticked."""
    page, server = newcomer.page, newcomer.server
    for where, name in (("groups", "desk"), ("bots", "Trend"), ("accounts", "first")):
        page.goto(f"{server}/dashboard/{where}/")
        newcomer.look(where)
        page.locator("main").get_by_role("link", name=name, exact=True).first.click()
        expect(page.locator("#figures dl")).to_be_visible()
        newcomer.look(f"one-of-{where}")
    done = newcomer.steps()
    assert len(done) == 6, done
    newcomer.look("all-done")
