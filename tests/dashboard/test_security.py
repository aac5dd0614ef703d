"""One's own security page: second factor, sessions, password."""

import html
import re
import uuid

import pyotp
import pytest
from django.test import Client
from django.urls import reverse

from events.models import AuditRecord
from tests.dashboard.world import PASSWORD, World, enrolled
from users import mfa
from users.models import AuthSession, RecoveryCode, TotpDevice
from users.sessions import Device, open_session

NEW = "a brand new password"
SECURITY = reverse("dashboard:security")


@pytest.fixture
def client(world: World) -> Client:
    """Signed in by the form, as people are."""
    client = Client()
    form = {"username": "acme-user", "password": PASSWORD}
    client.post(reverse("dashboard:login"), form)
    return client


def test_enrolling_shows_code_and_secret_until_a_code_was_seen(
    client: Client, world: World
) -> None:
    assert b"<svg" not in client.get(reverse("dashboard:factor")).content
    client.post(reverse("dashboard:begin_factor"))
    answer = client.get(reverse("dashboard:factor"))
    page = answer.content.decode()
    secret = mfa.begun(user=world.user).secret
    assert f'<pre id="secret">{secret}</pre>' in page
    assert page.count("<svg") == 1
    assert answer.headers["Cache-Control"] == "no-store"
    wrong = client.post(reverse("dashboard:factor"), {"code": "000000"})
    assert wrong.status_code == 422
    assert secret in wrong.content.decode()
    assert not mfa.is_enabled(world.user)
    right = client.post(reverse("dashboard:factor"), {"code": pyotp.TOTP(secret).now()})
    codes = re.search(r'id="codes">([^<]+)<', html.unescape(right.content.decode()))
    assert codes is not None
    assert len(codes[1].split()) == RecoveryCode.objects.filter(user=world.user).count() == 10
    assert mfa.is_enabled(world.user)
    assert client.get(reverse("dashboard:factor")).headers["Location"] == SECURITY
    assert secret not in client.get(SECURITY).content.decode()
    assert AuditRecord.objects.filter(action="mfa.enabled").count() == 1


def test_renewing_codes_wants_a_code(client: Client, world: World) -> None:
    secret = enrolled(world)
    before = set(RecoveryCode.objects.values_list("code_hash", flat=True))
    wrong = client.post(reverse("dashboard:renew_codes"), {"code": "000000"})
    assert wrong.status_code == 401
    assert set(RecoveryCode.objects.values_list("code_hash", flat=True)) == before
    right = client.post(reverse("dashboard:renew_codes"), {"code": pyotp.TOTP(secret).now()})
    assert b"Shown this once" in right.content
    assert not before & set(RecoveryCode.objects.values_list("code_hash", flat=True))


def test_taking_the_factor_away_wants_password_and_code(client: Client, world: World) -> None:
    secret = enrolled(world)
    for form in (
        {"password": "wrong", "code": pyotp.TOTP(secret).now()},
        {"password": PASSWORD, "code": "000000"},
    ):
        assert client.post(reverse("dashboard:disable_factor"), form).status_code == 401
        assert mfa.is_enabled(world.user)
    form = {"password": PASSWORD, "code": pyotp.TOTP(secret).now()}
    assert client.post(reverse("dashboard:disable_factor"), form).headers["Location"] == SECURITY
    assert not TotpDevice.objects.exists()


def test_new_password_ends_other_sessions_and_keeps_this_one(client: Client, world: World) -> None:
    other = Client()
    other.post(reverse("dashboard:login"), {"username": "acme-user", "password": PASSWORD})
    open_session(user=world.user, device=Device())
    form = {"old_password": PASSWORD, "new_password": NEW, "again": NEW}
    answer = client.post(reverse("dashboard:password"), form, follow=True)
    assert b"2 other sessions ended" in answer.content
    assert other.get("/dashboard/").status_code == 302
    assert client.get("/dashboard/").status_code == 200
    world.user.refresh_from_db()
    assert world.user.check_password(NEW)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"old_password": "wrong"}, b"The old password is wrong."),
        ({"again": "something else"}, b"not typed the same twice"),
        ({"new_password": "short", "again": "short"}, b"at least 12 characters"),
    ],
    ids=["old", "again", "weak"],
)
def test_refused_password_changes_nothing(
    client: Client, world: World, form: dict[str, str], said: bytes
) -> None:
    filled = {"old_password": PASSWORD, "new_password": NEW, "again": NEW, **form}
    answer = client.post(reverse("dashboard:password"), filled)
    assert answer.status_code == 422
    assert said in answer.content
    world.user.refresh_from_db()
    assert world.user.check_password(PASSWORD)
    assert AuthSession.objects.live_of(world.user.pk).count() == 1


def test_own_sessions_are_listed_and_ended(client: Client, world: World, foreign: World) -> None:
    api = open_session(user=world.user, device=Device(address="192.0.2.7", user_agent="a robot"))
    page = client.get(SECURITY).content.decode()
    assert ("this one" in page, "192.0.2.7" in page, "a robot" in page) == (True, True, True)
    client.post(reverse("dashboard:end_session", args=[api.sid]))
    assert AuthSession.objects.get(sid=api.sid).revoked_reason == "ended_by_user"
    assert "192.0.2.7" not in client.get(SECURITY).content.decode()
    strange = open_session(user=foreign.user, device=Device())
    for sid in (strange.sid, uuid.uuid4()):
        assert client.post(reverse("dashboard:end_session", args=[sid])).status_code == 404
    assert AuthSession.objects.get(sid=strange.sid).revoked_at is None


def test_acts_want_a_post(client: Client) -> None:
    for name in ("begin_factor", "renew_codes", "disable_factor", "password"):
        assert client.get(reverse(f"dashboard:{name}")).status_code == 405
    assert not TotpDevice.objects.exists()
