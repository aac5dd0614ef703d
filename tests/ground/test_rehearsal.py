"""The rehearsal exchange beside the platform."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.ground.ports import free_port
from tests.waiting import wait_until
from tradingplatform.embedded.rehearsal import Rehearsal, local_rehearsal_port

pytestmark = pytest.mark.slow


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    exchange = Rehearsal(free_port(), tmp_path / "rehearsal")
    exchange.start()
    exchange.wait_until_ready()
    yield exchange
    exchange.stop()


def test_exchange_that_dies_is_started_again(rehearsal: Rehearsal) -> None:
    assert rehearsal.pid is not None
    first = rehearsal.pid
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: rehearsal.pid not in (first, None) and rehearsal.answers())
    assert rehearsal.pid != first


def test_exchange_ends_when_it_is_stopped(rehearsal: Rehearsal) -> None:
    assert rehearsal.pid is not None
    child = rehearsal.pid
    rehearsal.stop()
    assert not rehearsal.answers()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:23001", 23001),
        ("http://localhost:23001", 23001),
        ("http://127.0.0.1:23002", None),
        ("http://exchange.example.com:23001", None),
        ("https://127.0.0.1:23001", None),
    ],
)
def test_only_an_exchange_on_our_own_port_is_ours_to_start(
    settings: Settings, address: str, expected: int | None
) -> None:
    settings.REHEARSAL_PORT = 23001
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": address}}
    assert local_rehearsal_port() == expected


def test_without_the_venue_nothing_is_started(settings: Settings) -> None:
    settings.EXCHANGE_VENUES = {}
    assert local_rehearsal_port() is None
