"""``/api/v1/auth/*`` of the one who is signed in: permissions, sessions, second factor, resets."""

import re
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
import time_machine
from django.core import mail

from common.clock import now
from tests.management.answers import masked, refusal
from tests.management.conftest import Call
from tests.users.people import PASSWORD, Person, sign_in
from users.models import AuthSession, PasswordReset, TotpDevice
from users.passwords import issue_reset, mail_reset
from users.services import create_api_key

NEW = "an entirely new passphrase"
LOGIN = {"username": "ours-admin", "password": PASSWORD}


@pytest.fixture
def still(admin: Person) -> Iterator[None]:
    """The clock stands, so that a code stays the same."""
    with time_machine.travel(now(), tick=False):
        yield


def data_of(response: Any) -> dict[str, Any]:
    """The envelope's data, after the envelope was checked."""
    body = response.json()
    assert response.status_code == 200, body
    assert body["success"] is True
    assert body["message"]
    assert body["data"]["timestamp"]
    return dict(body["data"])


def test_permissions_are_told_with_the_role(call: Call, viewer: Person) -> None:
    data = data_of(call("GET", "/auth/permissions", person=viewer))
    assert (data["role"], data["permissions"]) == ("viewer", ["read"])


def test_sessions_are_the_callers_own_live_ones(call: Call, admin: Person, viewer: Person) -> None:
    other = sign_in(viewer.user)
    ended = sign_in(viewer.user)
    call("POST", "/auth/logout", {}, ended)
    sessions = data_of(call("GET", "/auth/sessions", person=viewer))["sessions"]
    assert [each["session_id"] for each in sessions] == [str(other.pair.sid), str(viewer.pair.sid)]
    assert [each["current"] for each in sessions] == [False, True]
    assert sessions[0]["device_info"] == {"ip_address": "127.0.0.1", "user_agent": ""}


def test_a_terminated_session_fails_at_once_and_only_its_owner_ends_it(
    call: Call, admin: Person, viewer: Person
) -> None:
    other = sign_in(viewer.user)
    address = f"/auth/sessions/{other.pair.sid}/terminate"
    foreign = call("POST", address, {}, admin)
    refusal(foreign, 404, "session_not_found")
    missing = call("POST", "/auth/sessions/not-an-id/terminate", {}, admin)
    assert masked(foreign) == masked(missing)
    assert call("GET", "/auth/me", person=other).status_code == 200
    data_of(call("POST", address, {}, viewer))
    refusal(call("GET", "/auth/me", person=other), 401, "token_revoked")
    refusal(call("POST", address, {}, viewer), 404, "session_not_found")
    assert call("GET", "/auth/me", person=viewer).status_code == 200


def test_a_reset_request_says_the_same_for_everybody(
    call: Call, admin: Person, sent: list[dict[str, Any]]
) -> None:
    known = call("POST", "/auth/password/reset", {"email": "ours-admin@example.org"})
    unknown = call("POST", "/auth/password/reset", {"email": "nobody@example.invalid"})
    for response in (known, unknown):
        data_of(response)
    assert known.json()["message"] == unknown.json()["message"]
    assert PasswordReset.objects.count() == 0
    assert sent == [
        {"task": "users.mail_reset", "email": "ours-admin@example.org"},
        {"task": "users.mail_reset", "email": "nobody@example.invalid"},
    ]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The wake-ups that a request asks for."""
    wishes: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "users.passwords.wake_on_commit",
        lambda task, **given: wishes.append({"task": task, **given}),
    )
    return wishes


@pytest.mark.parametrize("name", ["token", "reset_token"])
def test_a_mailed_token_sets_a_password(call: Call, admin: Person, name: str) -> None:
    mail_reset(email="ours-admin@example.org")
    found = re.search(r"token=([\w-]+)", str(mail.outbox[-1].body))
    assert found is not None
    body = {name: found.group(1), "new_password": NEW}
    data_of(call("POST", "/auth/password/reset/complete", body))
    refusal(call("POST", "/auth/password/reset/complete", body), 401, "reset_token_invalid")
    refusal(call("POST", "/auth/login", LOGIN), 401, "invalid_credentials")
    assert call("POST", "/auth/login", {**LOGIN, "password": NEW}).status_code == 200


def test_a_weak_or_missing_password_names_its_field(call: Call, admin: Person) -> None:
    token = issue_reset(user=admin.user, by=admin.principal).token
    weak = call("POST", "/auth/password/reset/complete", {"token": token, "new_password": "x"})
    assert "new_password" in refusal(weak, 422, "weak_password")["errors"]
    missing = call("POST", "/auth/password/reset/complete", {"new_password": NEW})
    assert "token" in refusal(missing, 422, "validation_error")["errors"]


@pytest.mark.usefixtures("still")
def test_a_factor_is_enrolled_asked_for_and_taken_away(call: Call, admin: Person) -> None:
    assert data_of(call("GET", "/auth/mfa", person=admin))["enabled"] is False
    begun = call("POST", "/auth/mfa/enrol", {}, admin)
    secret = data_of(begun)["secret"]
    assert begun.headers["Cache-Control"] == "no-store"
    assert secret in begun.json()["data"]["otpauth_uri"]
    app = pyotp.TOTP(secret)
    refusal(call("POST", "/auth/mfa/confirm", {"code": "000000"}, admin), 422, "mfa_invalid")
    codes = data_of(call("POST", "/auth/mfa/confirm", {"code": app.now()}, admin))["recovery_codes"]
    assert len(codes) == 10
    sessions = AuthSession.objects.count()
    refusal(call("POST", "/auth/login", LOGIN), 401, "mfa_required")
    refusal(call("POST", "/auth/login", {**LOGIN, "mfa_token": app.now()}), 401, "mfa_invalid")
    assert AuthSession.objects.count() == sessions
    assert call("POST", "/auth/login", {**LOGIN, "mfa_token": codes[0]}).status_code == 200
    renewed = data_of(call("POST", "/auth/mfa/recovery-codes", {"code": codes[1]}, admin))
    wrong = {"password": "wrong", "code": renewed["recovery_codes"][0]}
    refusal(call("POST", "/auth/mfa/disable", wrong, admin), 401, "invalid_credentials")
    assert TotpDevice.objects.exclude(confirmed_at=None).count() == 1
    data_of(call("POST", "/auth/mfa/disable", {**wrong, "password": PASSWORD}, admin))
    assert call("POST", "/auth/login", LOGIN).status_code == 200


def test_a_key_manages_no_credentials(call: Call, admin: Person) -> None:
    _, text = create_api_key(user=admin.user, label="robot")
    for method, path in (
        ("GET", "/auth/mfa"),
        ("POST", "/auth/mfa/enrol"),
        ("POST", f"/auth/sessions/{admin.pair.sid}/terminate"),
    ):
        refusal(call(method, path, HTTP_X_API_KEY=text), 403, "session_needed")
    assert not TotpDevice.objects.exists()
    assert call("GET", "/auth/me", person=admin).status_code == 200


def test_too_many_failures_get_a_time_to_wait(call: Call, admin: Person) -> None:
    for _ in range(5):
        refusal(
            call("POST", "/auth/login", {**LOGIN, "password": "wrong"}), 401, "invalid_credentials"
        )
    known = call("POST", "/auth/login", LOGIN)
    body = refusal(known, 429, "too_many_attempts")
    assert body["error"]["details"]["retry_after"] == 15
    assert known.headers["Retry-After"] == "15"
