"""Keys: minted within bounds, shown once, revoked at once, and who they can be."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from accounts.principals import authenticate
from common.clock import iso, now
from common.errors import Denied
from common.ids import digest
from events.models import AuditRecord
from tests.server.conftest import Ask, good, refused
from tests.users.people import Person, new_account
from users.models import ApiKey, PasswordReset, User
from users.permissions import SCOPES
from users.services import change_user, create_api_key

NEW = {
    "email": "new@example.org",
    "role": "trader",
    "password": "a password of some length",
    "must_reset_password": False,
}


def mint(ask: Ask, who: Person | str, **fields: Any) -> Any:
    """The answer to a wish for a key."""
    return ask("POST", "/api-keys", {"label": "relay", "role": "viewer", **fields}, who)


def test_a_key_is_shown_once_and_its_hash_is_kept(ask: Ask, admin: Person) -> None:
    answer = mint(ask, admin)
    body = good(answer)
    assert {"api_key_id", "token", "label", "role"} <= set(body)
    assert answer.headers["Cache-Control"] == "no-store"
    key = ApiKey.objects.get(uuid=body["api_key_id"])
    assert (key.key_hash, key.user_id, key.role) == (digest(body["token"]), admin.user.pk, "viewer")
    listed = good(ask("GET", "/api-keys", who=admin))["api_keys"]
    assert [each["api_key_id"] for each in listed] == [body["api_key_id"]]
    assert body["token"] not in str(listed)
    record = AuditRecord.objects.get(action="api_key.created")
    assert (record.actor, record.after["role"]) == (f"user:{admin.user.pk}", "viewer")
    assert body["token"] not in str(record.after)


@pytest.mark.parametrize("carrier", ["HTTP_X_API_KEY", "HTTP_AUTHORIZATION"])
def test_a_key_is_good_in_both_headers_until_it_is_revoked(
    ask: Ask, admin: Person, carrier: str
) -> None:
    body = good(mint(ask, admin, role="admin", scopes=["read", "users"]))
    value = body["token"] if carrier == "HTTP_X_API_KEY" else f"Bearer {body['token']}"
    good(ask("GET", "/users", **{carrier: value}))
    good(ask("DELETE", f"/api-keys/{body['api_key_id']}", who=admin))
    refused(ask("GET", "/users", **{carrier: value}), 401, "token_invalid")
    again = ask("POST", f"/api-keys/{body['api_key_id']}/revoke", {}, admin)
    refused(again, 409, "already_revoked")


def test_a_key_manages_people_and_keys_only_where_its_scopes_say_so(
    ask: Ask, admin: Person
) -> None:
    _, usual = create_api_key(user=admin.user, label="usual")
    for method, path, body in (
        ("GET", "/users", None),
        ("POST", "/users", {}),
        ("GET", "/api-keys", None),
        ("POST", "/api-keys", {}),
        ("POST", f"/users/{admin.user.uuid}/issue-reset", {}),
    ):
        refused(ask(method, path, body, usual), 403, "permission_denied")
    _, trusted = create_api_key(user=admin.user, label="trusted", scopes=["users", "read"])
    good(ask("GET", "/users", who=trusted))


def test_a_key_gives_no_more_than_it_has(ask: Ask, admin: Person) -> None:
    _, trusted = create_api_key(user=admin.user, label="trusted", scopes=["users", "read"])
    refused(mint(ask, trusted, role="admin", scopes=["trade"]), 403, "key_is_limited")
    assert good(mint(ask, trusted, role="admin"))["scopes"] == ["read"]


def test_a_key_makes_none_that_outlives_it(ask: Ask, admin: Person) -> None:
    end = now().replace(microsecond=0) + timedelta(days=2)
    parent, text = create_api_key(
        user=admin.user, label="brief", scopes=["read", "users"], expires_at=end
    )
    later = (end + timedelta(seconds=1)).isoformat()
    refused(mint(ask, text, expires_at=later), 403, "key_is_limited")
    assert list(ApiKey.objects.all()) == [parent]
    sooner = end - timedelta(days=1)
    wanted = ((sooner.isoformat(), sooner), (end.isoformat(), end), (None, end))
    for given, kept in wanted:
        fields = {} if given is None else {"expires_at": given}
        body = good(mint(ask, text, **fields))
        assert body["expires_at"] == iso(kept)
        assert ApiKey.objects.get(uuid=body["api_key_id"]).expires_at == kept
    assert good(mint(ask, admin))["expires_at"] is None


@pytest.mark.parametrize(
    "bounds",
    [
        {"account_ids": [1], "scopes": ["read", "users"]},
        {"account_ids": [1], "scopes": list(SCOPES)},
        {"scopes": ["read", "users"]},
        {"scopes": [each for each in SCOPES if each != "live"]},
        {"scopes": list(SCOPES), "expires_at": now() + timedelta(days=2)},
    ],
)
def test_a_limited_key_makes_nobody_who_is_not(
    ask: Ask, admin: Person, trader: Person, bounds: dict[str, Any]
) -> None:
    _, limited = create_api_key(user=admin.user, label="limited", **bounds)
    people = list(User.objects.order_by("pk").values())
    wish = {**NEW, "email": "x@example.org", "role": "admin"}
    refused(ask("POST", "/users", wish, limited), 403, "key_is_limited")
    path = f"/users/{trader.user.uuid}"
    refused(ask("PATCH", path, {"role": "admin"}, limited), 403, "key_is_limited")
    for person in (admin, trader):
        path = f"/users/{person.user.uuid}/issue-reset"
        refused(ask("POST", path, {}, limited), 403, "key_is_limited")
        assert person.session.revoked_at is None
    principal = authenticate(limited)
    with pytest.raises(Denied):
        change_user(user=trader.user, by=principal, email="y@example.org")
    assert list(User.objects.order_by("pk").values()) == people
    assert not PasswordReset.objects.exists()
    made = {"user.created", "user.changed", "password.reset_issued"}
    assert not AuditRecord.objects.filter(action__in=made, actor=principal.key).exists()


def test_a_key_that_ends_opens_no_way_in_that_stays(
    ask: Ask, admin: Person, trader: Person
) -> None:
    _, brief = create_api_key(
        user=admin.user, label="brief", scopes=list(SCOPES), expires_at=now() + timedelta(days=2)
    )
    refused(ask("POST", "/users", {**NEW, "role": "viewer"}, brief), 403, "key_is_limited")
    path = f"/users/{trader.user.uuid}"
    assert good(ask("PATCH", path, {"active": False}, brief))["user"]["active"] is False
    for change in ({"active": True}, {"role": "viewer"}):
        refused(ask("PATCH", path, change, brief), 403, "key_is_limited")
    trader.user.refresh_from_db()
    assert (trader.user.is_active, trader.user.role) == (False, "trader")
    assert User.objects.count() == 2


def test_a_key_manages_people_within_its_scopes(ask: Ask, admin: Person, trader: Person) -> None:
    _, limited = create_api_key(user=admin.user, label="limited", scopes=["read", "users"])
    made = good(ask("POST", "/users", {**NEW, "role": "viewer"}, limited))["user"]
    refused(
        ask("PATCH", f"/users/{made['id']}", {"role": "trader"}, limited), 403, "key_is_limited"
    )
    path = f"/users/{trader.user.uuid}"
    assert good(ask("PATCH", path, {"active": False}, limited))["user"]["active"] is False
    refused(ask("PATCH", path, {"active": True}, limited), 403, "key_is_limited")
    _, full = create_api_key(user=admin.user, label="full", scopes=list(SCOPES))
    good(ask("PATCH", path, {"active": True, "role": "admin"}, full))
    assert good(ask("POST", f"{path}/issue-reset", {}, full))["user_id"] == str(trader.user.uuid)


def test_scopes_limit_rights_on_accounts_and_permissions(ask: Ask, admin: Person) -> None:
    account = new_account(admin, "one")
    _, text = create_api_key(user=admin.user, label="reader", scopes=["read"])
    principal = authenticate(text)
    assert principal.may("read", account.pk)
    assert not principal.may("trade", account.pk)
    assert not principal.may("live", account.pk)
    _, blind = create_api_key(user=admin.user, label="blind", scopes=["trade"])
    assert not authenticate(blind).may("read", account.pk)


def test_nobody_mints_more_than_the_user_may(ask: Ask, admin: Person, trader: Person) -> None:
    answer = mint(ask, admin, role="admin", user_id=str(trader.user.uuid))
    body = refused(answer, 400, "validation_error")
    assert body["fields"] == {"role": "may do more than the user"}
    assert not ApiKey.objects.exists()
    assert good(mint(ask, admin, role="trader", user_id=str(trader.user.uuid)))["user_id"] == str(
        trader.user.uuid
    )


def test_keys_are_the_administrator_s_and_stay_in_the_organisation(
    ask: Ask, admin: Person, others: list[Person], stranger: Person
) -> None:
    body = good(mint(ask, admin))
    for person in others:
        refused(mint(ask, person), 403, "permission_denied")
        refused(ask("GET", "/api-keys", who=person), 403, "permission_denied")
    foreign = ask("DELETE", f"/api-keys/{body['api_key_id']}", who=stranger)
    refused(foreign, 404, "api_key_not_found")
    refused(mint(ask, stranger, user_id=str(admin.user.uuid)), 404, "user_not_found")
    foreign_account = new_account(stranger, "theirs")
    refused(mint(ask, admin, account_ids=[foreign_account.pk]), 404, "account_not_found")
    assert good(ask("GET", "/api-keys", who=stranger)) == {"api_keys": []}
    assert ApiKey.objects.get().revoked_at is None


def test_an_expiry_must_lie_ahead_and_is_kept(ask: Ask, admin: Person) -> None:
    refused(mint(ask, admin, expires_at="2001-01-01T00:00:00Z"), 400, "validation_error")
    soon = (now() + timedelta(hours=1)).isoformat()
    token = good(mint(ask, admin, expires_at=soon))["token"]
    authenticate(token)
    with time_machine.travel(now() + timedelta(hours=2), tick=False):
        refused(ask("GET", "/users", who=token), 401, "token_invalid")


def test_use_is_noted_once_a_minute(ask: Ask, admin: Person) -> None:
    key, text = create_api_key(user=admin.user, label="relay")
    noted = []
    start = now()
    for seconds in (0, 30, 59, 61, 100):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            authenticate(text)
        key.refresh_from_db()
        assert key.last_used_at is not None
        noted.append(round((key.last_used_at - start).total_seconds()))
    assert noted == [0, 0, 0, 61, 61]
