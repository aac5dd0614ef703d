"""New passwords: by mail, by an administrator, by choice; a token is good once."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.db import connection

from common.clock import now
from common.errors import Denied, Invalid, Unauthenticated
from events.models import AuditRecord
from tests.users.people import PASSWORD, Person, new_person, sign_in
from users import passwords
from users.models import AuthSession, PasswordReset
from users.sessions import Device, login, session_of_access

NEW = "an entirely new passphrase"


@pytest.fixture
def viewer(admin: Person) -> Person:
    return new_person(admin.user.organisation, "vera", "viewer")


def mailed_token() -> str:
    """The token in the last mail."""
    found = re.search(r"token=([\w-]+)", str(mail.outbox[-1].body))
    assert found is not None
    return found.group(1)


def test_a_token_by_mail_sets_a_password_once_and_ends_all_sessions(viewer: Person) -> None:
    assert passwords.mail_reset(email="VERA@example.org")
    assert mail.outbox[-1].to == ["vera@example.org"]
    token = mailed_token()
    assert not PasswordReset.objects.filter(token_hash=token).exists()
    user, ended = passwords.complete_reset(token=token, new_password=NEW)
    assert (user, ended) == (viewer.user, 1)
    with pytest.raises(Unauthenticated):
        session_of_access(viewer.pair.access)
    with pytest.raises(Unauthenticated):
        login(identifier="vera", password=PASSWORD, device=Device())
    assert login(identifier="vera", password=NEW, device=Device()).user == viewer.user
    with pytest.raises(Unauthenticated) as caught:
        passwords.complete_reset(token=token, new_password=NEW)
    assert caught.value.code == "reset_token_invalid"


def test_nobody_gets_a_mail_for_an_unknown_address_or_a_second_at_once(viewer: Person) -> None:
    assert not passwords.mail_reset(email="nobody@example.org")
    assert passwords.mail_reset(email="vera@example.org")
    assert not passwords.mail_reset(email="vera@example.org")
    assert len(mail.outbox) == 1
    with time_machine.travel(now() + timedelta(minutes=6)):
        first = mailed_token()
        assert passwords.mail_reset(email="vera@example.org")
        with pytest.raises(Unauthenticated):
            passwords.complete_reset(token=first, new_password=NEW)


def test_a_mail_that_anybody_asks_for_voids_no_token_of_an_administrator(
    admin: Person, viewer: Person
) -> None:
    issued = passwords.issue_reset(user=viewer.user, by=admin.principal)
    assert passwords.mail_reset(email="vera@example.org")
    mailed = mailed_token()
    assert passwords.complete_reset(token=issued.token, new_password=NEW) == (viewer.user, 0)
    for spent in (issued.token, mailed):
        with pytest.raises(Unauthenticated):
            passwords.complete_reset(token=spent, new_password=f"{NEW} 2")
    again = passwords.issue_reset(user=viewer.user, by=admin.principal)
    assert passwords.complete_reset(token=again.token, new_password=f"{NEW} 2")[0] == viewer.user


def test_an_expired_token_and_one_of_a_disabled_user_are_refused(
    admin: Person, viewer: Person
) -> None:
    issued = passwords.issue_reset(user=viewer.user, by=admin.principal)
    with time_machine.travel(now() + timedelta(hours=2)), pytest.raises(Unauthenticated):
        passwords.complete_reset(token=issued.token, new_password=NEW)
    viewer.user.is_active = False
    viewer.user.save()
    with pytest.raises(Unauthenticated):
        passwords.complete_reset(token=issued.token, new_password=NEW)


def test_a_weak_password_is_refused_and_the_token_stays_good(admin: Person, viewer: Person) -> None:
    issued = passwords.issue_reset(user=viewer.user, by=admin.principal)
    with pytest.raises(Invalid) as caught:
        passwords.complete_reset(token=issued.token, new_password="short")
    assert list(caught.value.fields) == ["new_password"]
    assert passwords.complete_reset(token=issued.token, new_password=NEW)[0] == viewer.user


def test_an_administrators_token_ends_the_sessions_and_bars_the_old_password(
    admin: Person, viewer: Person
) -> None:
    with pytest.raises(Denied):
        passwords.issue_reset(user=admin.user, by=viewer.principal)
    issued = passwords.issue_reset(user=viewer.user, by=admin.principal)
    assert issued.ended_sessions == 1
    with pytest.raises(Denied) as caught:
        login(identifier="vera", password=PASSWORD, device=Device())
    assert caught.value.code == "must_reset_password"
    passwords.complete_reset(token=issued.token, new_password=NEW)
    assert login(identifier="vera", password=NEW, device=Device()).user == viewer.user
    record = AuditRecord.objects.get(action="password.reset_issued")
    assert (record.actor, record.after) == (admin.principal.key, None)


def test_a_change_asks_for_the_old_password_and_keeps_the_own_session(viewer: Person) -> None:
    other = sign_in(viewer.user)
    with pytest.raises(Invalid) as caught:
        passwords.change_password(user=viewer.user, old_password="wrong", new_password=NEW)
    assert caught.value.fields == {"old_password": "wrong"}
    ended = passwords.change_password(
        user=viewer.user, old_password=PASSWORD, new_password=NEW, keep_sid=viewer.pair.sid
    )
    assert ended == 1
    assert session_of_access(viewer.pair.access).user == viewer.user
    with pytest.raises(Unauthenticated):
        session_of_access(other.pair.access)


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_with_one_token_one_wins(admin: Person, viewer: Person) -> None:
    issued = passwords.issue_reset(user=viewer.user, by=admin.principal)

    def complete(number: int) -> str:
        try:
            passwords.complete_reset(token=issued.token, new_password=f"{NEW} {number}")
        except Unauthenticated as error:
            return error.code
        finally:
            connection.close()
        return "ok"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(complete, range(8)))
    assert sorted(answers) == ["ok", *["reset_token_invalid"] * 7]
    winner = answers.index("ok")
    assert login(identifier="vera", password=f"{NEW} {winner}", device=Device())
    assert AuthSession.objects.filter(user=viewer.user, revoked_at=None).count() == 1
