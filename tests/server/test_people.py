"""Organisations and their people."""

import threading
from typing import Any

import pytest
from django.db import connection

from common.errors import Conflict
from events.models import AuditRecord
from tests.server.conftest import Ask, good, refused
from tests.users.people import Person, new_person
from tests.waiting import PATIENCE
from users.models import Organisation, User
from users.services import change_user, create_api_key

NEW = {
    "email": "new@example.org",
    "role": "trader",
    "password": "a password of some length",
    "must_reset_password": False,
}


def test_a_new_person_is_listed_and_may_log_in(ask: Ask, admin: Person, stranger: Person) -> None:
    user = good(ask("POST", "/users", NEW, admin))["user"]
    row = User.objects.get(uuid=user["id"])
    assert (row.username, row.role, row.organisation_id) == (
        "new@example.org", "trader", admin.user.organisation_id,
    )  # fmt: skip
    assert user["org_id"] == str(admin.user.organisation.uuid)
    listed = good(ask("GET", "/users", who=admin))["users"]
    assert [each["email"] for each in listed] == [admin.user.email, "new@example.org"]
    assert user == listed[1]
    good(ask("POST", "/auth/login", {"email": user["email"], "password": NEW["password"]}))
    assert [each["id"] for each in good(ask("GET", "/users", who=stranger))["users"]] == [
        str(stranger.user.uuid)
    ]


def test_a_person_sets_a_password_of_their_own_unless_told_otherwise(
    ask: Ask, admin: Person
) -> None:
    given = {name: value for name, value in NEW.items() if name != "must_reset_password"}
    assert good(ask("POST", "/users", given, admin))["user"]["must_reset_password"] is True
    given = {"email": NEW["email"], "password": NEW["password"]}
    refused(ask("POST", "/auth/login", given), 403, "must_reset_password")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"role": "god"}, 400, "validation_error"),
        ({"is_superuser": True}, 400, "validation_error"),
        ({"is_staff": True}, 400, "validation_error"),
        ({"email": "no address"}, 400, "validation_error"),
        ({"password": "short"}, 400, "weak_password"),
        ({"email": "OURS-ADMIN@example.org"}, 409, "user_exists"),
    ],
)
def test_what_cannot_be_a_person_is_refused(
    ask: Ask, admin: Person, change: dict[str, Any], status: int, code: str
) -> None:
    refused(ask("POST", "/users", {**NEW, **change}, admin), status, code)
    assert User.objects.count() == 1


def test_people_are_the_administrator_s_affair(
    ask: Ask, admin: Person, others: list[Person], stranger: Person
) -> None:
    path = f"/users/{others[0].user.uuid}"
    for person in others:
        refused(ask("GET", "/users", who=person), 403, "permission_denied")
        refused(ask("POST", "/users", NEW, person), 403, "permission_denied")
        refused(ask("PATCH", path, {"role": "admin"}, person), 403, "permission_denied")
        refused(ask("POST", f"{path}/issue-reset", {}, person), 403, "permission_denied")
    missing = "/users/00000000-0000-0000-0000-000000000000"
    for where in (path, missing):
        refused(ask("PATCH", where, {"role": "admin"}, stranger), 404, "user_not_found")
        refused(ask("POST", f"{where}/issue-reset", {}, stranger), 404, "user_not_found")
    ours = str(admin.user.organisation.uuid)
    refused(ask("POST", "/users", {**NEW, "org_id": ours}, stranger), 404, "org_not_found")
    assert not User.objects.filter(email=NEW["email"]).exists()
    assert User.objects.get(pk=others[0].user.pk).role == "trader"


def test_a_changed_role_counts_at_once_and_ends_the_sessions(
    ask: Ask, admin: Person, trader: Person
) -> None:
    body = good(ask("PATCH", f"/users/{trader.user.uuid}", {"role": "viewer"}, admin))
    assert body["user"]["role"] == "viewer"
    refused(ask("GET", "/users", who=trader), 401, "token_revoked")
    record = AuditRecord.objects.get(action="user.changed")
    assert (record.before["role"], record.after["role"]) == ("trader", "viewer")


def test_a_disabled_person_s_keys_and_log_in_fail(ask: Ask, admin: Person, trader: Person) -> None:
    _, key = create_api_key(user=trader.user, label="relay")
    good(ask("PATCH", f"/users/{trader.user.uuid}", {"active": False}, admin))
    for credential in (trader.pair.access, key):
        assert ask("GET", "/users", who=credential).status_code == 401
    given = {"email": trader.user.email, "password": "a long enough password"}
    refused(ask("POST", "/auth/login", given), 401, "invalid_credentials")


@pytest.mark.parametrize("change", [{"role": "trader"}, {"active": False}])
def test_the_last_administrator_stays(ask: Ask, admin: Person, change: dict[str, Any]) -> None:
    path = f"/users/{admin.user.uuid}"
    refused(ask("PATCH", path, change, admin), 409, "last_admin")
    disabled = new_person(admin.user.organisation, "adam", "admin")
    User.objects.filter(pk=disabled.user.pk).update(is_active=False)
    refused(ask("PATCH", path, change, admin), 409, "last_admin")
    new_person(admin.user.organisation, "ada", "admin")
    good(ask("PATCH", path, change, admin))


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_demote_each_other_at_once(admin: Person) -> None:
    other = new_person(admin.user.organisation, "ada", "admin")
    barrier, outcomes = threading.Barrier(2), []

    def demote(user: User, by: Person) -> None:
        try:
            barrier.wait(PATIENCE)
            change_user(user=user, by=by.principal, role="viewer")
            outcomes.append("done")
        except Conflict as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    pairs = ((other.user, admin), (admin.user, other))
    threads = [threading.Thread(target=demote, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "last_admin"]
    assert User.objects.filter(role="admin", is_active=True).count() == 1


def test_no_administrator_has_power_over_a_superuser(ask: Ask, platform: Person) -> None:
    local = new_person(platform.user.organisation, "local", "admin")
    path = f"/users/{platform.user.uuid}"
    refused(ask("PATCH", path, {"active": False}, local), 403, "permission_denied")
    refused(ask("POST", f"{path}/issue-reset", {}, local), 403, "permission_denied")
    given = {"revoke_all": True, "user_id": str(platform.user.uuid)}
    refused(ask("POST", "/auth/revoke", given, local), 403, "permission_denied")
    assert User.objects.get(pk=platform.user.pk).is_active


def test_a_superuser_makes_a_tenant_and_its_first_administrator(
    ask: Ask, platform: Person, admin: Person
) -> None:
    org_id = good(ask("POST", "/orgs", {"name": "New"}, platform))["org_id"]
    organisation = Organisation.objects.get(uuid=org_id)
    given = {**NEW, "role": "admin", "org_id": org_id}
    user = good(ask("POST", "/users", given, platform))["user"]
    assert (user["org_id"], user["role"]) == (org_id, "admin")
    listed = good(ask("GET", f"/users?org_id={org_id}", who=platform))["users"]
    assert [each["id"] for each in listed] == [user["id"]]
    record = AuditRecord.objects.get(action="user.created", target__endswith=f":{user_pk(user)}")
    assert (record.organisation_id, record.actor) == (organisation.pk, platform.principal.key)
    names = [each["name"] for each in good(ask("GET", "/orgs", who=platform))["orgs"]]
    assert names == ["New", "Ours", "Platform"]
    refused(ask("POST", "/orgs", {"name": "new"}, platform), 409, "name_taken")


def user_pk(user: dict[str, Any]) -> int:
    """The number of a person shown."""
    return User.objects.get(uuid=user["id"]).pk


def test_tenants_are_for_superusers_signed_in(ask: Ask, admin: Person, platform: Person) -> None:
    _, key = create_api_key(user=platform.user, label="all", scopes=["users", "manage", "read"])
    for who in (admin, key):
        refused(ask("GET", "/orgs", who=who), 403, "permission_denied")
        refused(ask("POST", "/orgs", {"name": "Mine"}, who), 403, "permission_denied")
    refused(ask("POST", "/orgs", {"name": "Mine"}), 401, "unauthorized")
    assert not Organisation.objects.filter(name="Mine").exists()


@pytest.mark.parametrize("path", ["/no/such/address", "/users/1/2/3"])
def test_an_address_that_is_not_there_answers_in_the_same_form(
    ask: Ask, db: None, path: str
) -> None:
    refused(ask("GET", path), 404, "not_found")
