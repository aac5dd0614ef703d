"""Each page in a real browser: no error, nothing from outside, no sideways scroll, not heavy."""

import gzip
import os
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, Response

from accounts.models import Account
from groups.models import Group
from tests.browser.conftest import signed_in, stranger
from tests.dashboard.world import World, make_account
from trading.models import Order, Position

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOST_PLAIN, MOST_CHARTED = 70_000, 160_000
REQUESTS_PLAIN, REQUESTS_CHARTED = 12, 18
# Each width and each scheme once: the scheme changes colours only.
VARIANTS = [(1280, "light"), (390, "dark")]
LONG_NAME = "The spot account of Anna at the rehearsal exchange, number 1"


def addresses(world: World) -> dict[str, str]:
    """The pages by the name of their picture."""
    account = world.accounts[0].pk
    order = Order.objects.filter(state="OPEN").get().pk
    plain = (
        "overview",
        "accounts",
        "groups",
        "bots",
        "orders",
        "positions",
        "signals",
        "ticket",
        "first_steps",
        "stop",
    )
    group, _ = Group.objects.get_or_create(organisation=world.organisation, name="desk")
    group.accounts.set(world.accounts)
    world.bot.groups.set([group])
    signal = world.bot.signals.first().correlation_id
    return {
        **{name: reverse(f"dashboard:{name}") for name in plain},
        "account": reverse("dashboard:account", args=[account]),
        "group": reverse("dashboard:group", args=[group.pk]),
        "bot": reverse("dashboard:bot", args=[world.bot.pk]),
        "alert_message": reverse("dashboard:alert_message", args=[world.bot.pk]),
        "bot_door": reverse("dashboard:bot_door", args=[world.bot.pk]),
        "bot_renew": reverse("dashboard:bot_secret", args=[world.bot.pk, "hmac"]),
        "order": reverse("dashboard:order", args=[order]),
        "cancel": reverse("dashboard:cancel_order", args=[order]),
        "close": reverse("dashboard:close_position", args=[Position.objects.get().pk]),
        "signal": reverse("dashboard:signal", args=[signal]),
        "missing": reverse("dashboard:order", args=[999_999]),
    }


class Watch:
    """What a page asked for and complained about."""

    def __init__(self, page: Page, server: str) -> None:
        self.server = server
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.responses: list[Response] = []
        page.on("console", lambda told: told.type in ("error", "warning") and self._note(told.text))
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("response", self._answered)

    def _note(self, text: str) -> None:
        self.errors.append(text)

    def _answered(self, response: Response) -> None:
        self.responses.append(response)
        if not response.url.startswith((self.server, "data:", "blob:")):
            self.outside.append(response.url)

    def weight(self) -> int:
        """Bytes of all answers, each compressed on its own."""
        return sum(len(gzip.compress(response.body(), 9)) for response in self.responses)


def pictures(tmp_path: Path) -> Path:
    """Where pictures go: BROWSER_PICTURES keeps them."""
    folder = Path(os.environ.get("BROWSER_PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize(("width", "scheme"), VARIANTS)
def test_every_page_is_drawn_without_fault(
    width: int,
    scheme: str,
    chromium: Browser,
    server: str,
    session_cookie: str,
    world: World,
    tmp_path: Path,
) -> None:
    make_account(world, LONG_NAME, book="live")
    Account.objects.filter(pk=world.accounts[0].pk).update(name=f"{LONG_NAME} too")
    context = signed_in(chromium, server, session_cookie, width=width, scheme=scheme)
    for name, address in addresses(world).items():
        page = context.new_page()
        watch = Watch(page, server)
        page.goto(server + address, wait_until="load")
        if name != "missing":
            page.wait_for_selector('[data-live-state="live"]')
        if name == "account":
            page.wait_for_selector("[data-candles] canvas")
        if name in ("account", "overview", "group"):
            page.wait_for_selector(".uplot")
        page.screenshot(path=pictures(tmp_path) / f"{name}-{width}-{scheme}.png", full_page=True)
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        expected = ["404"] if name == "missing" else []
        assert [error for error in watch.errors if not any(one in error for one in expected)] == []
        assert watch.outside == []
        assert overflow <= 0, f"{name} scrolls sideways by {overflow} px at {width}"
        if name != "missing":
            stop = page.locator("[data-stop]").bounding_box()
            assert stop is not None
            assert 0 <= stop["x"] <= width - stop["width"], f"the stop is cut off on {name}"
        page.close()
    context.close()


def test_first_visits_stay_within_their_weight(
    chromium: Browser, server: str, session_cookie: str, world: World
) -> None:
    for name, most, requests in (
        ("orders", MOST_PLAIN, REQUESTS_PLAIN),
        ("first_steps", MOST_PLAIN, REQUESTS_PLAIN),
        ("overview", MOST_CHARTED, REQUESTS_CHARTED),
        ("account", MOST_CHARTED, REQUESTS_CHARTED),
        ("group", MOST_CHARTED, REQUESTS_CHARTED),
        ("alert_message", MOST_PLAIN, REQUESTS_PLAIN),
    ):
        context = signed_in(chromium, server, session_cookie)
        page = context.new_page()
        watch = Watch(page, server)
        page.goto(server + addresses(world)[name], wait_until="networkidle")
        weight = watch.weight()
        print(f"{name}: {weight} bytes, {len(watch.responses)} requests")
        assert weight <= most
        assert len(watch.responses) <= requests
        context.close()


@pytest.mark.usefixtures("real_password_hashing")
def test_sign_in_by_hand_leads_to_the_page_asked_for(chromium: Browser, server: str) -> None:
    context = stranger(chromium)
    page = context.new_page()
    watch = Watch(page, server)
    page.goto(f"{server}/dashboard/orders/")
    page.get_by_label("User name").fill("acme-user")
    page.get_by_label("Password").fill("correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server}/dashboard/orders/")
    assert watch.errors == []
    context.close()
