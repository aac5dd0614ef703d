"""Login, refresh and logout: what a token is worth, and for how long."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.db import connection
from django.test import override_settings

from common.clock import now
from common.errors import Denied, Unauthenticated
from events.models import AuditRecord, Event
from tests.users.people import PASSWORD, Person, new_organisation, sign_in
from users import proof
from users.models import AuthSession, User
from users.proof import BAD_LOGIN, verified_user
from users.sessions import (
    Device,
    login,
    open_session,
    refresh,
    revoke,
    session_of_access,
    session_of_refresh,
)


def refused(token: str) -> str:
    """The code with which a refresh is refused."""
    with pytest.raises(Unauthenticated) as caught:
        refresh(token)
    return caught.value.code


def test_a_user_logs_in_by_name_or_address_in_any_case(admin: Person) -> None:
    for identifier in (
        "ours-admin",
        "OURS-Admin",
        "ours-admin@example.org",
        "Ours-Admin@EXAMPLE.org",
    ):
        pair = login(identifier=identifier, password=PASSWORD, device=Device())
        assert pair.user == admin.user
        assert pair.expires_in == 3600


def test_unknown_user_and_wrong_password_are_refused_alike(admin: Person) -> None:
    sessions = AuthSession.objects.count()
    answers = []
    for identifier, password in (("nobody", PASSWORD), ("ours-admin", "wrong"), ("", "")):
        with pytest.raises(Unauthenticated) as caught:
            login(identifier=identifier, password=password, device=Device())
        answers.append((caught.value.code, caught.value.message))
    assert set(answers) == {("invalid_credentials", BAD_LOGIN)}
    assert AuthSession.objects.count() == sessions


def test_a_failed_login_is_audited_without_the_password(admin: Person) -> None:
    with pytest.raises(Unauthenticated):
        login(identifier="ours-admin", password="hunter2-marker", device=Device(address="10.0.0.9"))
    record = AuditRecord.objects.get(action="login.failed")
    assert record.target == f"user:{admin.user.pk}"
    assert record.address == "10.0.0.9"
    assert "hunter2-marker" not in f"{record.before}{record.after}{record.target}"


def test_a_disabled_user_cannot_log_in_and_its_tokens_die(admin: Person) -> None:
    admin.user.is_active = False
    admin.user.save()
    with pytest.raises(Unauthenticated):
        login(identifier="ours-admin", password=PASSWORD, device=Device())
    with pytest.raises(Unauthenticated):
        session_of_access(admin.pair.access)
    assert refused(admin.pair.refresh) == "token_revoked"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_active": False}, "invalid_credentials"),
        ({"password": make_password("another password")}, "invalid_credentials"),
        ({"must_reset_password": True}, "must_reset_password"),
    ],
)
def test_who_is_barred_after_the_password_was_looked_at_stays_out(
    admin: Person, change: dict[str, object], code: str
) -> None:
    user = verified_user(identifier="ours-admin", password=PASSWORD, address="10.0.0.9")
    User.objects.filter(pk=user.pk).update(**change)
    with pytest.raises((Denied, Unauthenticated)) as caught:
        open_session(user=user, device=Device())
    assert caught.value.code == code
    assert list(AuthSession.objects.values_list("sid", flat=True)) == [admin.pair.sid]
    assert AuditRecord.objects.filter(action="login.succeeded").count() == 1


def test_the_right_password_refused_is_audited_with_the_reason(admin: Person) -> None:
    User.objects.filter(pk=admin.user.pk).update(must_reset_password=True)
    with pytest.raises(Denied):
        login(identifier="ours-admin", password=PASSWORD, device=Device(address="10.0.0.9"))
    record = AuditRecord.objects.get(action="login.failed")
    assert (record.target, record.address) == (f"user:{admin.user.pk}", "10.0.0.9")
    assert record.after == {"reason": "must_reset_password"}


def test_a_log_in_beside_one_that_renewed_the_hash_passes(
    admin: Person, real_password_hashing: None
) -> None:
    stock = Argon2PasswordHasher()
    User.objects.filter(pk=admin.user.pk).update(password=stock.encode(PASSWORD, stock.salt()))
    slower = User.objects.get(pk=admin.user.pk)
    login(identifier="ours-admin", password=PASSWORD, device=Device())
    proof._renew_hash(slower, PASSWORD)
    assert slower.password == User.objects.get(pk=admin.user.pk).password
    assert open_session(user=slower, device=Device()).user == slower


def test_an_older_hash_is_renewed_by_the_right_password_alone(
    admin: Person, real_password_hashing: None
) -> None:
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"]):
        admin.user.set_password(PASSWORD)
    stock = Argon2PasswordHasher()
    for older in (admin.user.password, stock.encode(PASSWORD, stock.salt())):
        User.objects.filter(pk=admin.user.pk).update(password=older)
        with pytest.raises(Unauthenticated):
            login(identifier="ours-admin", password="wrong", device=Device())
        assert User.objects.get(pk=admin.user.pk).password == older
        user = login(identifier="ours-admin", password=PASSWORD, device=Device()).user
        renewed = User.objects.get(pk=admin.user.pk).password
        assert user.password == renewed
        assert renewed.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
        assert login(identifier="ours-admin", password=PASSWORD, device=Device())
        assert User.objects.get(pk=admin.user.pk).password == renewed


@pytest.mark.alone
def test_a_log_in_costs_the_same_for_a_user_and_for_nobody(
    admin: Person, real_password_hashing: None
) -> None:
    admin.user.set_password(PASSWORD)
    admin.user.save()

    def cost(name: str, number: int) -> float:
        began = time.process_time()
        with pytest.raises(Unauthenticated):
            login(identifier=name, password="wrong", device=Device(address=f"10.1.1.{number}"))
        return time.process_time() - began

    proof._decoy_hash.cache_clear()
    cost("nobody", 0)
    pairs = [(cost("ours-admin", n), cost(f"nobody-{n}", n)) for n in range(1, 41)]
    known, unknown = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(f"known {known * 1000:.1f} ms, unknown {unknown * 1000:.1f} ms of processor time")
    assert 0.9 < known / unknown < 1.1


def test_a_refresh_gives_a_successor_and_access_for_the_same_session(admin: Person) -> None:
    successor = refresh(admin.pair.refresh)
    assert successor.sid == admin.pair.sid
    assert successor.refresh != admin.pair.refresh
    assert session_of_access(successor.access).user == admin.user


def test_the_same_token_within_thirty_seconds_gives_the_same_successor(admin: Person) -> None:
    start = now()
    with time_machine.travel(start, tick=False):
        first = refresh(admin.pair.refresh)
    with time_machine.travel(start + timedelta(seconds=29), tick=False):
        second = refresh(admin.pair.refresh)
    assert second.refresh == first.refresh


def test_a_client_that_keeps_its_first_token_goes_on_working(admin: Person) -> None:
    start = now()
    successors = set()
    for minutes in (0, 50, 100, 150):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            successors.add(refresh(admin.pair.refresh).refresh)
    assert len(successors) == 4
    assert admin.session.revoked_at is None


def test_an_older_token_after_its_successor_was_used_revokes_the_family(admin: Person) -> None:
    second = refresh(admin.pair.refresh)
    third = refresh(second.refresh)
    assert refused(admin.pair.refresh) == "token_revoked"
    assert admin.session.revoked_reason == "refresh_reuse"
    assert refused(third.refresh) == "token_revoked"
    with pytest.raises(Unauthenticated):
        session_of_access(third.access)


def test_a_sibling_of_a_used_token_is_refused_and_revokes_the_family(admin: Person) -> None:
    start = now()
    with time_machine.travel(start, tick=False):
        earlier = refresh(admin.pair.refresh)
    with time_machine.travel(start + timedelta(seconds=31), tick=False):
        later = refresh(admin.pair.refresh)
        assert later.refresh != earlier.refresh
        newest = refresh(later.refresh)
        assert refused(earlier.refresh) == "token_revoked"
        assert admin.session.revoked_reason == "refresh_reuse"
        assert refused(newest.refresh) == "token_revoked"


def test_a_later_sibling_stays_good_after_an_earlier_one_was_used(admin: Person) -> None:
    start = now()
    with time_machine.travel(start, tick=False):
        earlier = refresh(admin.pair.refresh)
    with time_machine.travel(start + timedelta(seconds=31), tick=False):
        later = refresh(admin.pair.refresh)
        refresh(earlier.refresh)
        assert refresh(later.refresh).sid == admin.pair.sid
        assert refused(earlier.refresh) == "token_revoked"


def test_twenty_parallel_refreshes_give_one_successor(transactional_db: None) -> None:
    admin = new_organisation("Ours")[1]

    def one(_: int) -> str:
        try:
            return refresh(admin.pair.refresh).refresh
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        successors = set(pool.map(one, range(20)))
    assert len(successors) == 1
    session = admin.session
    assert (session.used_generation, session.revoked_at) == (1, None)


def test_an_access_token_is_no_refresh_token_and_the_other_way_round(admin: Person) -> None:
    assert refused(admin.pair.access) == "token_invalid"
    with pytest.raises(Unauthenticated):
        session_of_access(admin.pair.refresh)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "ü" * 50])
def test_rubbish_is_no_token(admin: Person, token: str) -> None:
    assert refused(token) == "token_invalid"


def test_an_expired_access_token_says_so(admin: Person) -> None:
    with (
        time_machine.travel(now() + timedelta(seconds=3601), tick=False),
        pytest.raises(Unauthenticated) as caught,
    ):
        session_of_access(admin.pair.access)
    assert caught.value.code == "token_expired"


def test_revoking_ends_all_tokens_of_the_session_and_no_other(admin: Person) -> None:
    other = sign_in(admin.user)
    revoke(admin.session, reason="logout")
    with pytest.raises(Unauthenticated):
        session_of_access(admin.pair.access)
    with pytest.raises(Unauthenticated):
        session_of_refresh(admin.pair.refresh)
    assert session_of_access(other.pair.access).user == admin.user


def test_revoking_twice_is_told_once(admin: Person) -> None:
    session = admin.session
    revoke(session, reason="logout")
    revoke(session, reason="logout")
    event = Event.objects.get(kind="session.revoked")
    assert f"session:{admin.pair.sid}" in event.topics
    assert AuditRecord.objects.filter(action="session.revoked").count() == 1
