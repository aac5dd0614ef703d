"""Many log-ins at once at a running server, with the hasher of production."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from django.db.models import Max

from tests.bench.process import cpu_seconds
from tests.identity.clients import Clients, storm
from tests.identity.conftest import told
from tests.identity.counting import SETTING
from tests.processes.harness import Platform
from tests.users.people import PASSWORD, new_person
from tests.waiting import wait_until
from users.models import AuthSession, LoginThrottle, Organisation

pytestmark = pytest.mark.slow

ELSEWHERE = "127.0.0.2"
FREE_FAILURES = 5
GOOD_SECONDS = 20.0


@pytest.fixture
def looks(platform: Platform, tmp_path: Path) -> Callable[[], int]:
    """How many passwords the platform's processes have looked at so far."""
    file = tmp_path / "looks"
    platform.environment[SETTING] = str(file)
    platform.command = lambda *words: [sys.executable, "-m", "tests.identity.counting", *words]
    return lambda: file.stat().st_size


def test_of_a_thousand_wrong_log_ins_at_once_five_reach_the_password(
    platform: Platform, clients: Clients, organisation: Organisation, looks: Callable[[], int]
) -> None:
    person = new_person(organisation, "tina", "trader")
    platform.start(platform.door)
    bodies = [{"username": "tina", "password": f"wrong-{number}"} for number in range(1000)]
    answers: list[str] = []
    attack = Thread(target=lambda: answers.extend(storm(platform.url, bodies)))
    began = time.monotonic()
    attack.start()
    wait_until(lambda: failures() > 0, "the attack is under way")
    meanwhile = told(clients.log_in("tina", PASSWORD, ELSEWHERE))
    waited = time.monotonic() - began
    attack.join()
    spent = time.monotonic() - began
    print(f"1,000 wrong log-ins: {spent:.1f} s; the victim was in after {waited:.1f} s")
    assert meanwhile == "ok"
    assert Counter(answers) == {
        "invalid_credentials": FREE_FAILURES, "too_many_attempts": 1000 - FREE_FAILURES,
    }  # fmt: skip
    assert looks() == FREE_FAILURES + 1
    assert told(clients.log_in("tina", PASSWORD)) == "too_many_attempts"
    assert told(clients.log_in("tina", PASSWORD, ELSEWHERE)) == "ok"
    assert AuthSession.objects.filter(user=person.user, address=ELSEWHERE).count() == 2


def test_a_hundred_good_log_ins_from_one_address_all_pass_in_less_than_twenty_seconds_of_work(
    platform: Platform, organisation: Organisation
) -> None:
    for name, role in (("tina", "trader"), ("vera", "viewer")):
        new_person(organisation, name, role)
    platform.start(platform.door)
    server = platform.running[platform.door].pid
    bodies = [{"username": name, "password": PASSWORD} for name in ("tina", "vera") * 5]
    began, worked = time.monotonic(), cpu_seconds(server)
    answers = [each for _ in range(10) for each in storm(platform.url, bodies)]
    spent, worked = time.monotonic() - began, cpu_seconds(server) - worked
    print(f"100 good log-ins, ten at once: {spent:.1f} s, {worked:.1f} s of processor time")
    assert answers == ["ok"] * 100
    assert worked < GOOD_SECONDS


def failures() -> int:
    """The most failures that stand against anybody at an address."""
    return LoginThrottle.objects.aggregate(most=Max("failures"))["most"] or 0
