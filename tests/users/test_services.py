"""Making organisations, users and keys."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from accounts.principals import authenticate
from common.clock import now
from common.errors import Conflict, Denied, Invalid, Unauthenticated
from common.principal import ADMIN, TRADER, VIEWER
from events.models import AuditRecord
from tests.users.people import PASSWORD, Person, new_organisation, new_person
from users.models import ApiKey, PasswordReset, User
from users.permissions import demand, permissions_of
from users.services import (
    change_user,
    create_api_key,
    create_organisation,
    create_user,
    end_session,
    issue_reset,
    revoke_api_key,
    revoke_sessions,
)
from users.sessions import revoke


def test_names_are_unique_in_the_installation_in_any_case(admin: Person) -> None:
    with pytest.raises(Conflict) as caught:
        create_organisation(name="OURS")
    assert caught.value.code == "name_taken"
    for username, email in (
        ("OURS-ADMIN", "x@example.org"),
        ("x", "OURS-ADMIN@example.org"),
        ("OURS-ADMIN@example.org", "x@example.org"),
    ):
        with pytest.raises(Conflict) as caught:
            create_user(
                organisation=admin.user.organisation,
                username=username,
                email=email,
                password=PASSWORD,
            )
        assert caught.value.code == "user_exists"
    assert User.objects.count() == 1


def test_an_unknown_role_is_refused(admin: Person) -> None:
    with pytest.raises(Invalid):
        create_user(
            organisation=admin.user.organisation,
            username="x",
            email="x@example.org",
            password=PASSWORD,
            role="root",
        )
    assert User.objects.count() == 1


def test_a_role_carries_exactly_its_permissions() -> None:
    assert permissions_of("admin") == [
        "export", "manage", "read", "risk", "trade", "users",
    ]  # fmt: skip
    assert permissions_of("trader") == ["read", "trade"]
    assert permissions_of("exporter") == ["export", "read"]
    assert permissions_of("viewer") == ["read"]
    assert permissions_of("stranger") == []


def test_the_key_is_not_in_the_database(admin: Person) -> None:
    key, text = create_api_key(user=admin.user, label="relay")
    stored = ApiKey.objects.filter(pk=key.pk).values().get()
    assert text.startswith("tp_")
    assert text not in str(stored)
    assert authenticate(text).key == f"key:{key.pk}"


def test_a_short_key_from_outside_is_refused(admin: Person) -> None:
    with pytest.raises(Invalid) as caught:
        create_api_key(user=admin.user, label="weak", plain_key="too-short")
    assert caught.value.code == "weak_key"
    assert not ApiKey.objects.exists()


def test_the_same_key_twice_is_refused(admin: Person) -> None:
    create_api_key(user=admin.user, label="one", plain_key="a-key-from-outside-0123456789")
    with pytest.raises(Conflict):
        create_api_key(user=admin.user, label="two", plain_key="a-key-from-outside-0123456789")
    assert ApiKey.objects.count() == 1


def test_expired_and_revoked_keys_fail_at_once(admin: Person) -> None:
    with pytest.raises(Invalid):
        create_api_key(user=admin.user, label="old", expires_at=now())
    old, expired = create_api_key(
        user=admin.user, label="old", expires_at=now() + timedelta(hours=1)
    )
    ApiKey.objects.filter(pk=old.pk).update(expires_at=now() - timedelta(seconds=1))
    key, revoked = create_api_key(user=admin.user, label="revoked")
    assert authenticate(revoked).role == ADMIN
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=now())
    for text in (expired, revoked):
        with pytest.raises(Unauthenticated):
            authenticate(text)


def test_a_key_never_does_more_than_its_user(admin: Person) -> None:
    person = new_person(admin.user.organisation, "tina", TRADER)
    with pytest.raises(Invalid, match="cannot be made"):
        create_api_key(user=person.user, label="bot", role=ADMIN)
    _, text = create_api_key(user=admin.user, label="bot", role=ADMIN)
    User.objects.filter(pk=admin.user.pk).update(role=TRADER)
    principal = authenticate(text)
    assert principal.role == TRADER
    with pytest.raises(Denied):
        demand(principal, "manage")


def test_a_key_may_do_less_than_its_user(admin: Person) -> None:
    _, text = create_api_key(user=admin.user, label="reader", role=VIEWER, account_ids=[7])
    principal = authenticate(text)
    assert (principal.role, principal.account_ids) == (VIEWER, frozenset({7}))
    assert principal.may("read", 7)
    assert not principal.may("trade", 7)
    assert not principal.may("read", 8)


def test_a_demotion_counts_for_tokens_issued_before(admin: Person) -> None:
    assert authenticate(admin.pair.access).role == ADMIN
    User.objects.filter(pk=admin.user.pk).update(role=VIEWER)
    assert authenticate(admin.pair.access).role == VIEWER


def test_authentication_costs_one_query(admin: Person, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        authenticate(admin.pair.access)


@pytest.mark.parametrize("text", ["", " ", "x" * 5000, "ключ", "tp_unknown_0123456789012345678901"])
def test_text_that_is_no_credential_is_refused(admin: Person, text: str) -> None:
    with pytest.raises(Unauthenticated):
        authenticate(text)


def test_a_lower_role_cannot_act_on_a_higher(admin: Person) -> None:
    ours = admin.user.organisation
    root = new_person(ours, "root", ADMIN, is_superuser=True)
    trader, viewer = new_person(ours, "tina", TRADER), new_person(ours, "vera", VIEWER)
    stranger = new_organisation("Theirs")[1]
    key, text = create_api_key(user=root.user, label="root's")
    pairs = [(root, admin), (admin, trader), (trader, viewer), (admin, stranger)]
    for victim, by in pairs:
        acts: list[Callable[[], object]] = [
            partial(end_session, session=victim.session, by=by.principal),
            partial(revoke_sessions, user=victim.user, by=by.principal),
            partial(issue_reset, user=victim.user, by=by.principal),
            partial(change_user, user=victim.user, by=by.principal, is_active=False),
            partial(create_api_key, user=victim.user, label="in its name", by=by.principal),
        ]
        for act in acts:
            with pytest.raises(Denied):
                act()
    with pytest.raises(Denied):
        revoke_api_key(key=key, by=admin.principal)
    assert authenticate(text).key == f"key:{key.pk}"
    assert ApiKey.objects.count() == 1
    for person in (root, admin, trader):
        assert authenticate(person.pair.access).user_id == person.user.pk
        assert not PasswordReset.objects.filter(user=person.user).exists()


def test_whoever_has_the_power_ends_a_session_once(admin: Person) -> None:
    viewer = new_person(admin.user.organisation, "vera", VIEWER)
    end_session(session=viewer.session, by=admin.principal, reason="lost phone")
    with pytest.raises(Unauthenticated):
        authenticate(viewer.pair.access)
    with pytest.raises(Conflict):
        end_session(session=viewer.session, by=admin.principal)
    record = AuditRecord.objects.get(action="console.session_revoked")
    assert (record.actor, record.after) == (admin.principal.key, {"reason": "lost phone"})


def test_the_record_of_an_ended_session_names_who_ended_it_and_from_where(admin: Person) -> None:
    boss = replace(admin.principal, address="10.0.0.9")
    acts: list[Callable[[Person], object]] = [
        lambda person: end_session(session=person.session, by=boss),
        lambda person: revoke_sessions(user=person.user, by=boss),
        lambda person: issue_reset(user=person.user, by=boss),
        lambda person: change_user(user=person.user, by=boss, role=TRADER),
        lambda person: change_user(user=person.user, by=boss, is_active=False),
    ]
    for number, act in enumerate(acts):
        person = new_person(admin.user.organisation, f"vera-{number}", VIEWER)
        act(person)
        record = AuditRecord.objects.get(
            action="session.revoked", target=f"session:{person.pair.sid}"
        )
        assert (record.actor, record.address) == (boss.key, "10.0.0.9")
    person = new_person(admin.user.organisation, "fred", VIEWER)
    revoke(person.session, reason="logout", address="10.0.0.8")
    record = AuditRecord.objects.get(action="session.revoked", target=f"session:{person.pair.sid}")
    assert (record.actor, record.address) == (f"user:{person.user.pk}", "10.0.0.8")
