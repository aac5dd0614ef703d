"""Signing in on pages: one step or two, one way in for dashboard and console, and out again."""

import time

import pyotp
import pytest
from axes.models import AccessFailureLog, AccessLog
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from events.models import AuditRecord
from tests.dashboard.world import PASSWORD, World, enrolled
from users import mfa
from users.models import AuthSession
from users.sessions import end_sessions

LOGIN = reverse("dashboard:login")
CODE = reverse("dashboard:code")


@pytest.fixture
def secret(world: World) -> str:
    """The user has a second factor; its secret."""
    return enrolled(world)


def sign_in(client: Client, password: str = PASSWORD, **more: str) -> object:
    """Send the first form."""
    return client.post(LOGIN, {"username": "acme-user", "password": password, **more})


def is_in(client: Client) -> bool:
    """Whether the overview opens."""
    return client.get("/dashboard/").status_code == 200


def test_sign_in_by_mail_address_opens_a_listed_session(world: World) -> None:
    client = Client(headers={"user-agent": "a browser"})
    answer = client.post(LOGIN, {"username": "ACME@example.test", "password": PASSWORD})
    assert answer.headers["Location"] == "/dashboard/"
    session = AuthSession.objects.get()
    assert (session.user, session.user_agent) == (world.user, "a browser")
    assert session.claimed_device == {"surface": "pages"}
    assert AuditRecord.objects.filter(action="login.succeeded").count() == 1


def test_an_ended_session_ends_the_page_at_once(world: World) -> None:
    client = Client()
    sign_in(client)
    assert is_in(client)
    assert end_sessions(user=world.user, reason="test") == 1
    assert not is_in(client)


def test_leaving_ends_the_session_and_closes_the_record(world: World) -> None:
    client = Client()
    sign_in(client)
    assert client.post("/admin/logout/").headers["Location"] == LOGIN
    assert AuthSession.objects.get().revoked_reason == "logout"
    assert AccessLog.objects.get().logout_time is not None
    assert not is_in(client)


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"must_reset_password": True}], ids=["disabled", "reset"]
)
def test_who_may_not_log_in_any_more_is_out(world: World, change: dict[str, bool]) -> None:
    client = Client()
    sign_in(client)
    for name, value in change.items():
        setattr(world.user, name, value)
    world.user.save()
    assert not is_in(client)


def test_second_factor_is_a_step_of_its_own(world: World, secret: str) -> None:
    client = Client()
    sign_in(client, next="/dashboard/orders/")
    before = client.cookies["sessionid"].value
    assert not is_in(client)
    wrong = client.post(CODE, {"code": "000000"})
    assert b"wrong or was used before" in wrong.content
    assert not is_in(client)
    right = client.post(CODE, {"code": pyotp.TOTP(secret).now()})
    assert right.headers["Location"] == "/dashboard/orders/"
    assert client.cookies["sessionid"].value != before
    assert is_in(client)
    assert client.get(CODE).headers["Location"] == LOGIN


def test_recovery_code_signs_in_once(world: World) -> None:
    secret = mfa.enrol(user=world.user).secret
    codes = mfa.confirm(user=world.user, code=pyotp.TOTP(secret).now())
    for client, status in ((Client(), 302), (Client(), 200)):
        sign_in(client)
        assert client.post(CODE, {"code": codes[0]}).status_code == status


def test_second_step_waits_five_minutes_and_ends_with_a_new_password(
    world: World, secret: str
) -> None:
    late, changed = Client(), Client()
    sign_in(late)
    session = late.session
    session["second_step"] = {**session["second_step"], "at": int(time.time()) - 301}
    session.save()
    assert late.post(CODE, {"code": pyotp.TOTP(secret).now()}).headers["Location"] == LOGIN
    sign_in(changed)
    world.user.set_password("another long password")
    world.user.save()
    assert changed.post(CODE, {"code": pyotp.TOTP(secret).now()}).headers["Location"] == LOGIN
    assert not is_in(late)
    assert not is_in(changed)


def test_sixth_wrong_password_is_told_to_wait_and_the_right_one_too(world: World) -> None:
    client = Client()
    for _ in range(5):
        assert sign_in(client, "wrong").status_code == 200
    answer = sign_in(client)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert b"Too many failed attempts" in answer.content
    elsewhere = Client(REMOTE_ADDR="192.0.2.9")
    sign_in(elsewhere)
    assert is_in(elsewhere)


def test_failures_are_recorded_without_what_was_typed(world: World) -> None:
    client = Client()
    sign_in(client, "wrong")
    client.post(LOGIN, {"username": PASSWORD, "password": "acme-user"})
    assert sorted(AccessFailureLog.objects.values_list("username", flat=True)) == [
        "(unknown)",
        "acme-user",
    ]
    assert AuditRecord.objects.filter(action="login.failed").count() == 2


def test_must_reset_password_leads_to_the_reset_page(world: World) -> None:
    world.user.must_reset_password = True
    world.user.save()
    client = Client()
    assert sign_in(client).headers["Location"] == reverse("dashboard:reset")
    assert not is_in(client)


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_foreign_targets_are_not_followed(world: World, target: str) -> None:
    assert sign_in(Client(), next=target).headers["Location"] == "/dashboard/"


def test_console_is_entered_by_the_same_page(world: World) -> None:
    client = Client()
    assert client.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"
    page = client.get("/admin/login/?next=/admin/")
    assert b"User name or e-mail" in page.content
    answer = client.post(
        "/admin/login/", {"username": "acme-user", "password": PASSWORD, "next": "/admin/"}
    )
    assert answer.headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/password_change/").headers["Location"] == "/dashboard/security/"


def test_who_is_no_staff_is_told_so_instead_of_going_in_circles(world: World) -> None:
    world.user.is_staff = False
    world.user.save()
    client = Client()
    sign_in(client)
    answer = client.get("/admin/", follow=True)
    assert (answer.status_code, answer.redirect_chain) == (
        403,
        [("/admin/login/?next=/admin/", 302)],
    )


def test_console_closes_after_idleness_and_the_row_with_it(
    world: World, settings: LazySettings
) -> None:
    settings.ADMIN_IDLE_MINUTES = 30
    client = Client()
    sign_in(client)
    assert client.get("/admin/").status_code == 200
    session = client.session
    session["seen"] = int(time.time()) - 31 * 60
    session.save()
    answer = client.get("/admin/?q=1")
    assert answer.headers["Location"] == f"{LOGIN}?next=%2Fadmin%2F%3Fq%3D1"
    assert AuthSession.objects.get().revoked_reason == "idle"
    assert not is_in(client)


def test_what_a_page_fetches_by_itself_is_no_activity(world: World) -> None:
    client = Client()
    sign_in(client)
    session = client.session
    session["seen"] = long_ago = int(time.time()) - 25 * 60
    session.save()
    client.get("/dashboard/data/equity", headers={"sec-fetch-mode": "cors"})
    client.get("/dashboard/", headers={"hx-request": "true"})
    assert client.session["seen"] == long_ago
    client.get("/dashboard/")
    assert client.session["seen"] > long_ago


def test_console_asks_for_a_second_factor_where_it_is_demanded(
    world: World, settings: LazySettings
) -> None:
    settings.ADMIN_MFA_REQUIRED = True
    client = Client()
    sign_in(client)
    assert client.get("/admin/").headers["Location"] == reverse("dashboard:factor")
    assert client.get("/dashboard/").status_code == 200
    secret = mfa.enrol(user=world.user).secret
    assert client.get("/admin/").status_code == 302
    mfa.confirm(user=world.user, code=pyotp.TOTP(secret).now())
    assert client.get("/admin/").status_code == 200
