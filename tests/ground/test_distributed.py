"""The processes of the distributed mode, each on its own, over PostgreSQL and Redis."""

import signal
from collections.abc import Callable, Iterator

import httpx
import pytest

from monitoring.models import Heartbeat, beat_of
from tests.ground.ports import free_port
from tests.ground.servers import Process, answers
from tests.waiting import wait_until

pytestmark = [pytest.mark.distributed, pytest.mark.slow]


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for process in started:
        process.discard()


def test_beat_wakes_a_worker_and_web_answers(
    child_environment: dict[str, str],
    manage: Callable[..., list[str]],
    processes: list[Process],
) -> None:
    port = free_port()
    environment = child_environment | {"PORT": str(port)}
    web, worker, beat = (Process(manage(name), environment) for name in ("web", "worker", "beat"))
    processes += [beat, worker, web]
    wait_until(lambda: answers(port, "/healthz"), lambda: web.output)
    assert httpx.get(f"http://127.0.0.1:{port}/healthz").json()["mode"] == "distributed"
    wait_until(lambda: Heartbeat.objects.count() == 4, lambda: worker.output)
    queues = ("events", "execution", "maintenance", "notifications")
    assert set(Heartbeat.objects.values_list("name", flat=True)) == set(map(beat_of, queues))

    assert web.end(signal.SIGTERM) == 0
    assert beat.end(signal.SIGTERM) == 0
    assert worker.end(signal.SIGTERM) == 0


def test_database_without_its_tables_is_refused(
    child_environment: dict[str, str], manage: Callable[..., list[str]], processes: list[Process]
) -> None:
    # The maintenance database that every PostgreSQL has: reachable, and empty.
    address = child_environment["DATABASE_URL"].rpartition("/")[0] + "/template1"
    process = Process(manage("web"), child_environment | {"DATABASE_URL": address})
    processes.append(process)
    assert process.exit_code() == 6
    assert process.lines[-1] == (
        "Not started: the database lacks migrations: run `manage.py migrate` first"
    )
