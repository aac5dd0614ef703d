"""`manage.py run`: from nothing to a served platform with a demo, and back."""

import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.ground.ports import free_port
from tests.ground.servers import READY, Process, answers, fresh_environment
from tests.waiting import wait_until

pytestmark = [pytest.mark.embedded, pytest.mark.slow]
PING = "/api/v3/ping"
Start = Callable[[], Process]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(tmp_path: Path, port: int, manage: Callable[..., list[str]]) -> Iterator[Start]:
    """Starts a server on an installation that is empty at first."""
    begun: list[Process] = []

    def begin() -> Process:
        process = Process(manage("run"), fresh_environment(tmp_path, PORT=str(port)))
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.discard()


def is_ready(line: str) -> bool:
    return line.startswith(READY)


def rehearsal_port(folder: Path) -> int:
    lines = (folder / ".env").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("REHEARSAL_PORT")).split("=")[1])


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "var" / "db.sqlite3") as database:
        return database.execute(query).fetchall()


def test_first_start_needs_nothing_and_the_second_repeats_nothing(
    tmp_path: Path, port: int, start: Start
) -> None:
    server = start()
    server.wait_for(is_ready)
    password = next(line.split()[1] for line in server.lines if line.startswith("Password"))
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert httpx.get(f"http://127.0.0.1:{port}/healthz").json()["status"] == "ok"
    assert rows(tmp_path, "SELECT name, status FROM bots_bot") == [("demo", "ACTIVE")]
    assert (
        rows(tmp_path, "SELECT venue, book FROM accounts_account")
        == [("rehearsal", "rehearsal")] * 3
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as browser:
        pages = ["/static/unfold/css/styles.css", "/admin/login/", "/api/schema/"]
        assert [browser.get(page).status_code for page in pages * 3] == [200] * 9
    exchange = rehearsal_port(tmp_path)
    assert answers(exchange, PING)

    assert server.end() == 0
    assert not answers(exchange, PING)
    assert password not in (tmp_path / ".env").read_text()

    again = start()
    again.wait_for(is_ready)
    assert "Password" not in again.output
    assert rows(tmp_path, "SELECT COUNT(*) FROM accounts_account") == [(3,)]
    assert again.end(signal.SIGINT) == 0
    assert "Traceback" not in server.output + again.output


def test_second_server_on_the_same_data_is_refused_until_the_first_is_gone(
    tmp_path: Path, start: Start
) -> None:
    first = start()
    first.wait_for(is_ready)
    second = start()
    line = second.wait_for(lambda line: line.startswith("Refused"))
    assert line == f"Refused: this data is served by process {first.pid}"
    assert second.exit_code() == 1
    exchange = rehearsal_port(tmp_path)
    assert answers(exchange, PING)

    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    third = start()
    third.wait_for(is_ready)
    wait_until(lambda: answers(exchange, PING))
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert third.end() == 0
