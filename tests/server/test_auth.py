"""Log-in, single-use tokens, passwords and revoking, as specification 003 words them."""

from typing import Any

import pytest

from events.models import AuditRecord
from tests.server.conftest import Ask, good, refused
from tests.users.people import PASSWORD, Person, new_person, sign_in
from users.models import User
from users.services import create_api_key

NEW_PASSWORD = "another long password"


def log_in(ask: Ask, person: Person, password: str = PASSWORD) -> dict[str, Any]:
    """The tokens of a log-in by e-mail address."""
    return good(ask("POST", "/auth/login", {"email": person.user.email, "password": password}))


def test_a_log_in_answers_with_what_003_reads(ask: Ask, trader: Person) -> None:
    tokens = log_in(ask, trader)
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    assert ask("GET", "/users", who=tokens["access_token"]).status_code == 403


def test_health_tells_strangers_that_it_lives(ask: Ask, db: None) -> None:
    body = good(ask("GET", "/health"))
    assert (body["ok"], body["db_enabled"], body["execution_mode_default"]) == (True, True, "paper")


@pytest.mark.parametrize("email", ["tina@example.org", "nobody@example.org"])
def test_wrong_password_and_unknown_user_look_alike(ask: Ask, trader: Person, email: str) -> None:
    answer = ask("POST", "/auth/login", {"email": email, "password": "wrong"})
    refused(answer, 401, "invalid_credentials")


def test_what_cannot_be_read_is_a_400(ask: Ask, db: None) -> None:
    body = refused(ask("POST", "/auth/login", {"password": "x"}), 400, "validation_error")
    assert body["fields"] == {"email": "is required"}
    body = refused(
        ask("POST", "/auth/login", {"email": "a", "password": "b", "role": "admin"}),
        400,
        "validation_error",
    )
    assert body["fields"] == {"role": "is not a field of this request"}


def test_a_refresh_token_is_good_once_and_reuse_ends_the_session(ask: Ask, trader: Person) -> None:
    first = log_in(ask, trader)["refresh_token"]
    second = good(ask("POST", "/auth/refresh", {"refresh_token": first}))
    third = good(ask("POST", "/auth/refresh", {"refresh_token": second["refresh_token"]}))
    refused(ask("POST", "/auth/refresh", {"refresh_token": second["refresh_token"]}), 401,
            "token_revoked")  # fmt: skip
    for token in (first, third["refresh_token"]):
        refused(ask("POST", "/auth/refresh", {"refresh_token": token}), 401, "token_revoked")
    refused(ask("GET", "/users", who=third["access_token"]), 401, "token_revoked")
    record = AuditRecord.objects.get(action="session.revoked")
    assert (record.after, record.address) == ({"reason": "refresh_reuse"}, "127.0.0.1")


def test_a_used_token_is_not_good_at_another_specification_either(
    ask: Ask, trader: Person, client: Any
) -> None:
    first = log_in(ask, trader)["refresh_token"]
    good(ask("POST", "/auth/refresh", {"refresh_token": first}))
    answer = client.post(
        "/api/v1/auth/refresh", {"refresh_token": first}, content_type="application/json"
    )
    assert answer.status_code == 401
    assert AuditRecord.objects.get(action="session.revoked").address == "127.0.0.1"


def test_a_reset_goes_from_the_administrator_over_the_token_to_a_log_in(
    ask: Ask, admin: Person, trader: Person
) -> None:
    issued = good(ask("POST", f"/users/{trader.user.uuid}/issue-reset", {}, admin))
    assert (issued["ok"], issued["user_id"]) == (True, str(trader.user.uuid))
    assert issued["revoked_refresh_tokens"] == 1
    refused(ask("GET", "/users", who=trader), 401, "token_revoked")
    old = {"email": trader.user.email, "password": PASSWORD}
    refused(ask("POST", "/auth/login", old), 403, "must_reset_password")
    given = {"reset_token": issued["reset_token"], "new_password": "short"}
    refused(ask("POST", "/auth/reset-password", given), 400, "weak_password")
    given["new_password"] = NEW_PASSWORD
    assert good(ask("POST", "/auth/reset-password", given)) == {
        "ok": True,
        "revoked_refresh_tokens": 0,
    }
    refused(ask("POST", "/auth/reset-password", given), 401, "reset_token_invalid")
    log_in(ask, trader, NEW_PASSWORD)


def test_a_changed_password_ends_the_other_sessions(ask: Ask, trader: Person) -> None:
    other = sign_in(trader.user)
    given = {"old_password": "wrong", "new_password": NEW_PASSWORD}
    refused(ask("POST", "/auth/change-password", given, trader), 400, "validation_error")
    given["old_password"] = PASSWORD
    answer = good(ask("POST", "/auth/change-password", given, trader))
    assert answer == {"ok": True, "revoked_refresh_tokens": 1}
    refused(ask("GET", "/users", who=other), 401, "token_revoked")
    refused(ask("GET", "/users", who=trader), 403, "permission_denied")


def test_a_key_changes_no_password(ask: Ask, admin: Person) -> None:
    _, key = create_api_key(user=admin.user, label="relay")
    given = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    refused(ask("POST", "/auth/change-password", given, key), 403, "session_needed")
    assert User.objects.get(pk=admin.user.pk).check_password(PASSWORD)


def test_revoking_ends_the_own_session_a_named_one_or_all(ask: Ask, trader: Person) -> None:
    named, left = log_in(ask, trader), sign_in(trader.user)
    answer = good(ask("POST", "/auth/revoke", {"refresh_token": named["refresh_token"]}, trader))
    assert answer["revoked"] is True
    refused(ask("GET", "/users", who=named["access_token"]), 401, "token_revoked")
    again = good(ask("POST", "/auth/revoke", {"refresh_token": named["refresh_token"]}, trader))
    assert again["revoked"] is False
    assert good(ask("POST", "/auth/revoke", {}, trader))["revoked"] is True
    refused(ask("GET", "/users", who=trader), 401, "token_revoked")
    answer = good(ask("POST", "/auth/revoke", {"revoke_all": True}, left))
    assert (answer["revoked_count"], answer["target_user_id"]) == (1, str(trader.user.uuid))


def test_only_an_administrator_revokes_what_is_another_person_s(
    ask: Ask, admin: Person, trader: Person, stranger: Person
) -> None:
    given = {"revoke_all": True, "user_id": str(trader.user.uuid)}
    other = new_person(admin.user.organisation, "vera", "viewer")
    refused(ask("POST", "/auth/revoke", given, other), 403, "permission_denied")
    refused(ask("POST", "/auth/revoke", given, stranger), 404, "user_not_found")
    foreign = {"refresh_token": trader.pair.refresh}
    assert good(ask("POST", "/auth/revoke", foreign, stranger))["revoked"] is False
    refused(ask("GET", "/users", who=trader), 403, "permission_denied")
    assert good(ask("POST", "/auth/revoke", given, admin))["revoked_count"] == 1
    refused(ask("GET", "/users", who=trader), 401, "token_revoked")
