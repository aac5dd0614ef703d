"""The console in a real browser: its pages draw without fault and ask for nothing outside."""

from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, expect

from tests.browser.conftest import signed_in
from tests.browser.test_dashboard_pages import Watch, pictures
from tests.dashboard.world import World
from trading.models import Order

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_console_pages_are_drawn_without_fault(
    width: int,
    scheme: str,
    chromium: Browser,
    server: str,
    session_cookie: str,
    world: World,
    tmp_path: Path,
) -> None:
    order = Order.objects.get(state="OPEN")
    context = signed_in(chromium, server, session_cookie, width=width, scheme=scheme)
    for name, address in {
        "home": "/admin/",
        "order-list": reverse("admin:trading_order_changelist"),
        "order": reverse("admin:trading_order_change", args=[order.pk]),
        "account-add": reverse("admin:accounts_account_add"),
        "bot": reverse("admin:bots_bot_change", args=[world.bot.pk]),
    }.items():
        page = context.new_page()
        watch = Watch(page, server)
        page.goto(server + address, wait_until="load")
        page.screenshot(path=pictures(tmp_path) / f"console-{name}-{width}-{scheme}.png")
        assert (watch.errors, watch.outside) == ([], [])
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{name} scrolls sideways by {overflow} px at {width}"
        page.close()
    context.close()


def test_action_is_chosen_and_its_effect_shown_first(
    chromium: Browser, server: str, session_cookie: str, tmp_path: Path
) -> None:
    page = signed_in(chromium, server, session_cookie).new_page()
    page.goto(server + reverse("admin:accounts_account_changelist"))
    page.locator("input.action-select").nth(1).check()
    page.locator("select[name=action]").select_option("suspend_accounts")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#confirm")).to_be_visible()
    expect(page.get_by_text("suspend 1")).to_be_visible()
    page.screenshot(path=pictures(tmp_path) / "console-confirm-1280-light.png")
