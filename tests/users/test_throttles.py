"""Failed log-ins cost time, for the one who fails only."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection

from common.clock import now
from common.errors import TooMany, Unauthenticated
from events.models import AuditRecord
from tests.users.people import PASSWORD, Person, new_person
from users import proof, throttles
from users.models import LoginThrottle
from users.passwords import request_reset
from users.sessions import Device, login

HERE, ELSEWHERE = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that reached the hash."""
    seen: list[str] = []
    real: Callable[..., bool] = proof.check_password

    def noted(password: str, encoded: str) -> bool:
        seen.append(password)
        return real(password, encoded)

    monkeypatch.setattr(proof, "check_password", noted)
    return seen


def outcome(name: str, password: str = "wrong", address: str = HERE) -> str:
    """How a log-in ends, in a word; closes its thread's connection."""
    try:
        login(identifier=name, password=password, device=Device(address=address))
    except TooMany as error:
        return f"{error.code} {error.retry_after}"
    except Unauthenticated as error:
        return error.code
    return "ok"


def in_thread(name: str, password: str = "wrong", address: str = HERE) -> str:
    try:
        return outcome(name, password, address)
    finally:
        connection.close()


@pytest.mark.parametrize("name", ["ours-admin", "nobody"])
def test_after_five_failures_the_pause_doubles(admin: Person, looks: list[str], name: str) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        assert [outcome(name) for _ in range(6)] == [
            *["invalid_credentials"] * 5, "too_many_attempts 15",
        ]  # fmt: skip
        assert outcome(name, PASSWORD) == "too_many_attempts 15"
        assert len(looks) == 5
        clock.shift(timedelta(seconds=16))
        assert outcome(name) == "invalid_credentials"
        assert outcome(name) == "too_many_attempts 30"
        clock.shift(timedelta(days=1))
        assert outcome(name) == "invalid_credentials"
    assert len(looks) == 7


def test_name_and_address_of_a_user_count_together(admin: Person) -> None:
    names = ["ours-admin", "OURS-ADMIN", "ours-admin@example.org"] * 2
    assert [outcome(name) for name in names][-1].startswith("too_many_attempts")


def test_the_victim_gets_in_from_elsewhere_and_others_from_here(admin: Person) -> None:
    viewer = new_person(admin.user.organisation, "vera", "viewer")
    for _ in range(6):
        outcome("ours-admin")
    assert outcome("ours-admin", PASSWORD) == "too_many_attempts 15"
    assert outcome("ours-admin", PASSWORD, ELSEWHERE) == "ok"
    assert outcome(viewer.user.username, PASSWORD) == "ok"


def test_a_good_log_in_clears_the_users_count(admin: Person) -> None:
    for _ in range(3):
        for _ in range(4):
            assert outcome("ours-admin") == "invalid_credentials"
        assert outcome("ours-admin", PASSWORD) == "ok"
    assert throttles.failures_of(f"user:{admin.user.pk}", HERE) == 0


def test_one_address_trying_many_names_is_stopped(admin: Person, looks: list[str]) -> None:
    answers = [outcome(f"name-{number}") for number in range(103)]
    assert answers[:100] == ["invalid_credentials"] * 100
    assert all(answer.startswith("too_many_attempts") for answer in answers[100:])
    assert len(looks) == 100
    assert outcome("ours-admin", PASSWORD, ELSEWHERE) == "ok"


@pytest.mark.django_db(transaction=True)
def test_a_thousand_at_once_get_no_further_than_the_limit(
    admin: Person, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first pause outlasts the thousand on a slow machine.
    monkeypatch.setattr(throttles, "FIRST_PAUSE", throttles.LONGEST_PAUSE)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(in_thread, ["ours-admin"] * 1000))
    assert answers.count("invalid_credentials") == len(looks) == 5
    assert sum(answer.startswith("too_many_attempts") for answer in answers) == 995
    assert outcome("ours-admin", PASSWORD, ELSEWHERE) == "ok"


@pytest.mark.django_db(transaction=True)
def test_a_hundred_good_log_ins_at_once_all_pass(admin: Person) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(in_thread, ["ours-admin"] * 100, [PASSWORD] * 100))
    assert answers == ["ok"] * 100
    assert set(LoginThrottle.objects.values_list("failures", "pending")) == {(0, 0)}


def test_a_whole_ipv6_network_shares_its_failures(admin: Person) -> None:
    for last in range(5):
        assert outcome("ours-admin", address=f"2001:db8::{last}") == "invalid_credentials"
    assert outcome("ours-admin", address="2001:db8::ffff") == "too_many_attempts 15"
    assert outcome("ours-admin", PASSWORD, "2001:db8:0:1::1") == "ok"


def test_requests_for_reset_mails_are_limited_per_address_whomever_they_name(
    admin: Person,
) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        for number in range(20):
            request_reset(email=f"name-{number}@example.org", address=HERE)
        with pytest.raises(TooMany) as caught:
            request_reset(email="ours-admin@example.org", address=HERE)
        assert caught.value.retry_after == 15
        request_reset(email="ours-admin@example.org", address=ELSEWHERE)
        assert outcome("ours-admin", PASSWORD) == "ok"
        clock.shift(timedelta(seconds=16))
        request_reset(email="ours-admin@example.org", address=HERE)
        with pytest.raises(TooMany) as caught:
            request_reset(email="ours-admin@example.org", address=HERE)
        assert caught.value.retry_after == 30
    told = AuditRecord.objects.filter(action="password.reset_requested")
    assert [each.address for each in told] == [*[HERE] * 20, ELSEWHERE, HERE]


def pending() -> list[int]:
    rows = LoginThrottle.objects.exclude(key="a:127.0.0.1").filter(pending__gt=0)
    return list(rows.values_list("pending", flat=True))


def test_an_attempt_whose_process_died_gives_its_place_back(admin: Person) -> None:
    moment = now()
    with time_machine.travel(moment, tick=False) as clock:
        assert throttles._enter(throttles._limits("user:1", HERE)) is None
        assert pending() == [1, 1]
        clock.shift(timedelta(seconds=31))
        with throttles.login_attempt("user:1", HERE):
            assert pending() == [1, 1]


def test_old_counts_are_forgotten(admin: Person) -> None:
    LoginThrottle.objects.all().delete()
    outcome("ours-admin")
    with time_machine.travel(now() + timedelta(hours=2)):
        assert throttles.forget_old() == 2
    assert LoginThrottle.objects.count() == 0
