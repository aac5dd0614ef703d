"""What an operator sees happen: rows without a reload, keys, filters, one command per form."""

import threading

import pytest
from django.db import connections
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import signed_in
from tests.dashboard.world import World, announce_order, make_order
from trading import states
from trading.models import Order

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def announce(order: Order, kind: str = "order.updated") -> None:
    """Publish from a thread of its own: the browser's event loop turns in this one."""

    def work() -> None:
        try:
            announce_order(order, kind)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.fixture
def page(chromium: Browser, server: str, session_cookie: str) -> Page:
    """A signed-in page that has not gone anywhere yet."""
    return signed_in(chromium, server, session_cookie).new_page()


def open_page(page: Page, address: str) -> None:
    """Go there and wait until the channel is open."""
    page.goto(address)
    page.wait_for_selector('[data-live-state="live"]')


def test_new_order_and_its_fill_appear_without_a_reload(
    page: Page, server: str, world: World
) -> None:
    open_page(page, f"{server}/dashboard/orders/")
    page.evaluate("window.stays = true")
    order = make_order(world.accounts[1], state=states.OPEN)
    announce(order, "order.created")
    row = page.locator(f"#order-{order.pk}")
    expect(row).to_contain_text("open")
    Order.objects.filter(pk=order.pk).update(state=states.FILLED)
    announce(order)
    expect(row).to_contain_text("filled")
    assert page.locator("tbody tr").first.get_attribute("id") == f"order-{order.pk}"
    assert page.evaluate("window.stays") is True


def test_row_that_no_longer_fits_the_filter_leaves_it(
    page: Page, server: str, world: World
) -> None:
    order = Order.objects.get(state=states.OPEN)
    open_page(page, f"{server}/dashboard/orders/?group=working")
    expect(page.locator(f"#order-{order.pk}")).to_be_visible()
    Order.objects.filter(pk=order.pk).update(state=states.FILLED)
    announce(order)
    expect(page.locator(f"#order-{order.pk}")).to_have_count(0)


def test_cut_page_catches_up_on_its_return(page: Page, server: str, world: World) -> None:
    open_page(page, f"{server}/dashboard/orders/")
    page.context.set_offline(True)
    page.evaluate("window.stays = true")
    order = make_order(world.accounts[0], state=states.OPEN)
    announce(order, "order.created")
    page.context.set_offline(False)
    expect(page.locator(f"#order-{order.pk}")).to_have_count(1)
    assert page.evaluate("window.stays") is True


def test_filter_changes_rows_and_address_without_a_reload(page: Page, server: str) -> None:
    open_page(page, f"{server}/dashboard/orders/")
    page.evaluate("window.stays = true")
    page.get_by_label("State").select_option("unknown")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert "group=unknown" in page.url
    assert page.evaluate("window.stays") is True


def test_keys_lead_to_pages_and_help(page: Page, server: str) -> None:
    open_page(page, f"{server}/dashboard/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    # The browser gives the focus back in a moment of its own after the dialog has gone.
    page.wait_for_function("document.activeElement === document.body")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/dashboard/positions/")
    page.keyboard.press("Shift+Escape")
    page.wait_for_url("**/dashboard/stop/")


def test_theme_is_kept(page: Page, server: str) -> None:
    open_page(page, f"{server}/dashboard/")
    page.get_by_text("acme-user").click()
    page.get_by_text("Light or dark").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_chart_asks_again_where_the_exchange_did_not_answer(
    page: Page, server: str, world: World
) -> None:
    refusals = iter(["The venue tells no candles."])

    def answer(route: Route) -> None:
        message = next(refusals, None)
        if message is None:
            route.continue_()
        else:
            route.fulfill(status=503, json={"message": message})

    page.route(lambda address: "/data/candles" in address, answer)
    open_page(page, f"{server}/dashboard/accounts/{world.accounts[0].pk}/")
    summary = page.locator("[data-candles] [data-summary]")
    expect(summary).to_contain_text("No candles: The venue tells no candles.")
    page.wait_for_selector("[data-candles] canvas")
    expect(summary).to_contain_text("1 fill")


def test_chart_can_be_read_as_a_table(page: Page, server: str, world: World) -> None:
    open_page(page, f"{server}/dashboard/accounts/{world.accounts[0].pk}/")
    page.wait_for_selector("[data-candles] canvas")
    expect(page.locator("[data-candles] [data-summary]")).to_contain_text("1 fill")
    page.get_by_text("Show as table").click()
    expect(page.get_by_role("columnheader", name="Volume")).to_be_visible()
    assert "view=table" in page.url
