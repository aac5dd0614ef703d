"""One server at a time per database."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE
from tradingplatform.backends import postgresql_parameters
from tradingplatform.embedded.lock import AdvisoryLock, AlreadyServed, FileLock

HOLDER = """
import sys, time
from pathlib import Path
from tradingplatform.embedded.lock import FileLock
FileLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_second_server_is_refused_and_told_who_serves(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3.lock"
    first = FileLock(path)
    first.acquire()
    with pytest.raises(AlreadyServed, match=f"process {os.getpid()}"):
        FileLock(path).acquire()
    first.release()


def test_lock_is_free_again_after_its_release(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3.lock"
    first, second = FileLock(path), FileLock(path)
    first.acquire()
    first.release()
    second.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    second.release()


def test_lock_of_a_killed_server_is_free(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3.lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AlreadyServed, match=f"process {holder.pid}"):
            FileLock(path).acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait(PATIENCE)
    lock = FileLock(path)
    lock.acquire()
    lock.release()


@pytest.mark.distributed
@pytest.mark.django_db
def test_second_server_on_postgresql_is_refused() -> None:
    first, second = (AdvisoryLock(postgresql_parameters()) for _ in range(2))
    first.acquire()
    with pytest.raises(AlreadyServed):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
