"""A broker that is away costs one caller a moment, and the others nothing."""

import os
import subprocess
import sys
import threading
import time

import pytest
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from common import wake
from tests.ground.ports import free_port
from tests.waiting import PATIENCE, wait_until

TIMED = """
import time
import django
django.setup()
from common.wake import wake
for _ in range(3):
    begun = time.monotonic()
    wake("trading.sweep")
    print(time.monotonic() - begun)
"""


@pytest.fixture
def closed_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A circuit that no other test has opened."""
    monkeypatch.setattr(wake, "circuit", wake._Circuit())


@pytest.mark.alone
def test_a_redis_that_refuses_connections_costs_less_than_a_moment_and_then_nothing() -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", TIMED],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tradingplatform.settings",
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    first, *later = (float(line) for line in outcome.stdout.split() if line[0].isdigit())
    assert first < 1.5
    assert max(later) < 0.05
    assert (
        outcome.stderr.count("wake-up trading.sweep not sent") + outcome.stdout.count("not sent")
        == 1
    )


def test_after_a_failure_nothing_is_sent_until_the_pause_is_over(
    closed_circuit: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def refuse(task: str, **_: object) -> None:
        tried.append(task)
        raise OperationalError("no broker")

    monkeypatch.setattr(current_app, "send_task", refuse)
    wake.wake("a")
    wake.wake("b")
    assert tried == ["a"]
    monkeypatch.setattr(wake, "QUIET_SECONDS", -1.0)
    wake.circuit.failed()
    wake.wake("c")
    assert tried == ["a", "c"]


def test_a_broker_that_answers_gets_every_wake_up(
    closed_circuit: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda task, **_: sent.append(task))
    wake.wake("a")
    wake.wake("b")
    assert sent == ["a", "b"]


def test_many_wishes_within_a_pause_are_one_wake_up_now_and_one_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[float] = []
    monkeypatch.setattr(wake, "wake", lambda task: sent.append(time.monotonic()))
    coalesced = wake.Coalesced("events.sequence", pause=0.2)
    for _ in range(50):
        coalesced.wake()
    assert len(sent) == 1
    wait_until(lambda: len(sent) == 2)
    assert sent[1] - sent[0] >= 0.2
    coalesced.wake()
    wait_until(lambda: len(sent) == 3)
    assert sent[2] - sent[1] >= 0.2


def test_a_wish_after_the_pause_is_a_wake_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(wake, "wake", sent.append)
    coalesced = wake.Coalesced("events.sequence", pause=0.0)
    coalesced.wake()
    coalesced.wake()
    assert sent == ["events.sequence"] * 2


def test_a_process_whose_workshop_does_the_work_sends_no_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(wake, "wake", sent.append)
    done: list[str] = []
    wake.workshop.open({"events.sequence": lambda: done.append(threading.current_thread().name)})
    try:
        wake.Coalesced("events.sequence", pause=0.0).wake()
        wake.Coalesced("events.other", pause=0.0).wake()
        wait_until(lambda: len(done) == 1)
    finally:
        wake.workshop.close()
    assert done[0].startswith("workshop")
    wake.Coalesced("events.sequence", pause=0.0).wake()
    assert sent == ["events.other", "events.sequence"]


def test_a_process_that_has_to_send_a_message_waits_for_its_own_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(wake, "wake", sent.append)
    done: list[int] = []
    coalesced = wake.Coalesced("events.sequence", pause=0.0, far_pause=3600.0)
    for _ in range(3):
        coalesced.wake()
    assert sent == ["events.sequence"]
    near = wake.Coalesced("events.sequence", pause=0.0, far_pause=3600.0)
    wake.workshop.open({"events.sequence": lambda: done.append(1)})
    try:
        for _ in range(3):
            near.wake()
        assert wait_until(lambda: len(done) == 3)
    finally:
        wake.workshop.close()
    assert sent == ["events.sequence"]


def test_work_that_fails_is_logged_and_the_next_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []

    def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise ValueError

    wake.workshop.open({"events.sequence": work})
    try:
        coalesced = wake.Coalesced("events.sequence", pause=0.0)
        coalesced.wake()
        wait_until(lambda: len(done) == 1)
        coalesced.wake()
        wait_until(lambda: len(done) == 2)
    finally:
        wake.workshop.close()
    assert [record.message.split("\n")[0] for record in caplog.records] == [
        "events.sequence failed"
    ]
