"""Changing people: one door, what it lets through, what it ends."""

import threading
from typing import Any

import pytest
from django.db import connection

from common.errors import Conflict, Denied, Invalid, Unauthenticated
from events.models import AuditRecord
from tests.users.people import Person, new_organisation, new_person
from tests.waiting import PATIENCE
from users.models import Organisation, User
from users.passwords import complete_reset, issue_reset
from users.services import change_user, create_user


@pytest.fixture
def viewer(admin: Person) -> Person:
    """Somebody the administrator manages."""
    return new_person(admin.user.organisation, "vera", "viewer")


@pytest.fixture
def platform(db: None) -> Person:
    """A superuser, of another organisation."""
    organisation, _ = new_organisation("Platform")
    return new_person(organisation, "suse", "admin", is_superuser=True)


def columns(user: User) -> dict[str, Any]:
    """The stored row."""
    return User.objects.filter(pk=user.pk).values().get()


def told() -> list[tuple[Any, Any]]:
    """Before and after of every change on record."""
    rows = AuditRecord.objects.filter(action="user.changed").order_by("pk")
    return [(row.before, row.after) for row in rows]


@pytest.mark.parametrize("power", ["is_staff", "is_superuser"])
def test_power_is_given_and_taken_by_superusers_alone(
    power: str, admin: Person, viewer: Person, platform: Person
) -> None:
    before = columns(viewer.user)
    with pytest.raises(Denied):
        change_user(user=viewer.user, by=admin.principal, **{power: True})
    assert (columns(viewer.user), told()) == (before, [])
    assert viewer.session.revoked_at is None
    change_user(user=viewer.user, by=platform.principal, **{power: True})
    assert columns(viewer.user) == {**before, power: True}
    assert told() == [({power: False}, {power: True})]
    assert viewer.session.revoked_reason == "role_changed"


def test_another_address_voids_resets_and_ends_no_session(admin: Person, viewer: Person) -> None:
    token = issue_reset(user=viewer.user, by=admin.principal).token
    fresh = new_person(admin.user.organisation, "fred", "viewer")
    other = issue_reset(user=fresh.user, by=admin.principal).token
    change_user(user=viewer.user, by=admin.principal, email="Vera@NEW.example.org")
    assert columns(viewer.user)["email"] == "Vera@new.example.org"
    assert told() == [({"email": "vera@example.org"}, {"email": "Vera@new.example.org"})]
    with pytest.raises(Unauthenticated):
        complete_reset(token=token, new_password="a wholly new password")
    assert complete_reset(token=other, new_password="a wholly new password")[0] == fresh.user


def test_what_is_taken_or_unknown_changes_nothing(admin: Person, viewer: Person) -> None:
    before = columns(viewer.user)
    with pytest.raises(Conflict) as taken:
        change_user(
            user=viewer.user, by=admin.principal, role="trader", email=admin.user.email.upper()
        )
    assert taken.value.code == "user_exists"
    with pytest.raises(Invalid):
        change_user(user=viewer.user, by=admin.principal, role="root", is_active=False)
    assert (columns(viewer.user), told()) == (before, [])
    assert viewer.session.revoked_at is None


def test_nobody_s_address_is_another_s_name(admin: Person, viewer: Person) -> None:
    named = create_user(
        organisation=admin.user.organisation,
        username="tina@example.net",
        email="tina@example.org",
        password=None,
    )
    before = columns(viewer.user)
    with pytest.raises(Conflict) as taken:
        change_user(user=viewer.user, by=admin.principal, email="Tina@Example.NET")
    assert taken.value.code == "user_exists"
    assert (columns(viewer.user), told()) == (before, [])
    change_user(user=named, by=admin.principal, email="tina@example.net")
    assert columns(named)["email"] == "tina@example.net"


@pytest.mark.django_db(transaction=True)
def test_of_a_name_and_the_same_address_at_once_one_is_given() -> None:
    organisation, _ = new_organisation("Ours")
    other, _ = new_organisation("Theirs")
    barrier, outcomes = threading.Barrier(2), []

    def add(home: Organisation, username: str, email: str) -> None:
        try:
            barrier.wait(PATIENCE)
            create_user(organisation=home, username=username, email=email, password=None)
            outcomes.append("made")
        except Conflict as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    wishes = ((organisation, "x@example.org", "y@example.org"), (other, "x", "X@example.org"))
    threads = [threading.Thread(target=add, args=wish) for wish in wishes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "user_exists"]


def test_what_is_so_already_is_no_change(admin: Person, viewer: Person) -> None:
    change_user(user=viewer.user, by=admin.principal, role="viewer", is_active=True, is_staff=False)
    assert told() == []
    assert viewer.session.revoked_at is None
