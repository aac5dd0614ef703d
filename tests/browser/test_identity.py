"""Identity in a real browser, as a new operator does it; every page of it looked at."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pyotp
import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from events.audit_chain import chain_records
from tests.browser.conftest import signed_in, stranger
from tests.browser.test_dashboard_pages import VARIANTS, Watch, pictures
from tests.dashboard.world import PASSWORD, World
from users import mfa
from users.models import AuthSession
from users.sessions import Device, open_session

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def sign_in(page: Page, server: str, target: str = "/dashboard/") -> None:
    """Fill the first form."""
    page.goto(f"{server}{target}")
    page.get_by_label("User name or e-mail").fill("acme-user")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def secret_of(page: Page) -> str:
    """The secret that the enrolment page shows, read as a person would."""
    page.get_by_text("The app cannot scan").click()
    return page.locator("#secret").inner_text()


Snap = Callable[[Page, str], None]


def enrol(page: Page, server: str, snap: Snap) -> str:
    """From the security page to the recovery codes; the secret."""
    page.goto(f"{server}{reverse('dashboard:security')}")
    page.get_by_role("button", name="Set up a second factor").click()
    expect(page.locator(".qr svg")).to_be_visible()
    snap(page, "qr")
    secret = secret_of(page)
    page.get_by_role("textbox", name="Code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Put it in force").click()
    assert len(page.locator("#codes").inner_text().split()) == 10
    snap(page, "recovery-codes")
    page.get_by_role("link", name="I have kept them").click()
    return secret


def snapping(folder: Path, width: int) -> Snap:
    """Takes pictures of a journey; a page that scrolls sideways fails it."""

    def snap(page: Page, name: str) -> None:
        path = pictures(folder) / f"journey-{name}-{width}.png"
        page.screenshot(path=path, full_page=True)
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{name} scrolls sideways by {overflow} px"

    return snap


def sign_in_with_a_new_factor(page: Page, server: str, snap: Snap) -> None:
    """Sign in to the console, enrol, sign out, and in again in two steps."""
    sign_in(page, server, "/admin/")
    expect(page).to_have_url(f"{server}/admin/")
    secret = enrol(page, server, snap)
    page.goto(f"{server}{reverse('dashboard:overview')}")
    page.get_by_text("acme-user").click()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, server)
    snap(page, "second-step")
    page.get_by_role("textbox", name="Code").fill(pyotp.TOTP(secret).at(_next_step()))
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_url(f"{server}/dashboard/")


@pytest.mark.usefixtures("real_password_hashing")
def test_a_second_factor_is_enrolled_and_used_on_a_phone(
    chromium: Browser, server: str, world: World, tmp_path: Path
) -> None:
    context = stranger(chromium, width=390)
    page = context.new_page()
    snap = snapping(tmp_path, 390)
    sign_in_with_a_new_factor(page, server, snap)
    page.goto(f"{server}{reverse('admin:users_user_change', args=[world.user.pk])}")
    snap(page, "person-with-sessions")
    context.close()


@pytest.mark.usefixtures("real_password_hashing")
def test_from_first_sign_in_to_a_key_in_use_and_both_in_the_audit(
    chromium: Browser, server: str, world: World, tmp_path: Path
) -> None:
    context = stranger(chromium)
    page = context.new_page()
    watch = Watch(page, server)
    snap = snapping(tmp_path, 1280)
    sign_in_with_a_new_factor(page, server, snap)
    page.goto(f"{server}{reverse('admin:users_user_change', args=[world.user.pk])}")
    snap(page, "person-with-sessions")
    page.get_by_role("link", name="Make a key").click()
    page.get_by_role("textbox", name="Label").fill("robot")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("#secret").inner_text()
    assert re.fullmatch(r"tp_[\w-]+", key)
    snap(page, "key-shown-once")
    answer = httpx.get(f"{server}/api/v1/accounts/list", headers={"x-api-key": key})
    assert answer.status_code == 200
    page.get_by_role("link", name="I have kept it").click()
    assert key not in page.content()
    chain_records()
    page.goto(f"{server}{reverse('admin:events_auditrecord_changelist')}")
    for action in ("mfa.enabled", "api_key.created", "login.succeeded"):
        expect(page.get_by_role("link", name=action).first).to_be_visible()
    snap(page, "audit")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("As it was written")).to_be_visible()
    snap(page, "audit-verdict")
    assert (watch.errors, watch.outside) == ([], [])
    context.close()


def _next_step() -> float:
    """The code of the step after the one enrolment took: each is good once."""
    return time.time() + 30


@pytest.mark.parametrize(("width", "scheme"), VARIANTS)
def test_pages_are_drawn_without_fault(
    width: int,
    scheme: str,
    chromium: Browser,
    server: str,
    session_cookie: str,
    world: World,
    tmp_path: Path,
) -> None:
    session = AuthSession.objects.get(
        sid=open_session(
            user=world.user, device=Device("192.0.2.7", "a robot", {"surface": "pages"})
        ).sid
    )
    chain_records()
    user = reverse("admin:users_user_change", args=[world.user.pk])
    addresses = {
        "login": reverse("dashboard:login"),
        "reset": reverse("dashboard:reset"),
        "reset-token": f"{reverse('dashboard:reset')}?token=x",
        "security": reverse("dashboard:security"),
        "factor-none": reverse("dashboard:factor"),
        "console-user": user,
        "console-users": reverse("admin:users_user_changelist"),
        "console-key-add": reverse("admin:users_apikey_add"),
        "console-session-end": reverse("admin:users_authsession_end", args=[session.pk]),
        "console-reset": reverse("admin:users_user_reset_page", args=[world.user.pk]),
        "console-audit": reverse("admin:events_auditrecord_changelist"),
        "console-log-ins": reverse("admin:axes_accesslog_changelist"),
        "console-tenant-add": reverse("admin:users_organisation_add"),
    }
    context = signed_in(chromium, server, session_cookie, width=width, scheme=scheme)
    outside = stranger(chromium, width=width, scheme=scheme)
    for name, address in addresses.items():
        page = (outside if name in ("login", "reset", "reset-token") else context).new_page()
        _look(page, server, address, tmp_path, f"identity-{name}-{width}-{scheme}")
        page.close()
    mfa.enrol(user=world.user)
    name = f"identity-factor-{width}-{scheme}"
    _look(context.new_page(), server, reverse("dashboard:factor"), tmp_path, name)
    context.close()
    outside.close()


def _look(page: Page, server: str, address: str, folder: Path, name: str) -> None:
    watch = Watch(page, server)
    page.goto(server + address, wait_until="load")
    page.screenshot(path=pictures(folder) / f"{name}.png", full_page=True)
    assert (watch.errors, watch.outside) == ([], []), name
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0, f"{name} scrolls sideways by {overflow} px"
