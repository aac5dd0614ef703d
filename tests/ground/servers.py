"""Starts processes of the platform for a test and ends them with it."""

import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx
from django.conf import settings

from tests.waiting import PATIENCE

READY = "The platform is ready"
UNSET = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "JWT_SIGNING_KEY", "CREDENTIAL_KEYS")


def fresh_environment(folder: Path, **values: str) -> dict[str, str]:
    """The environment of an installation of its own: no key, no database of this test run."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment.pop("EXCHANGE_VENUES", None)
    environment.pop("PYTEST_XDIST_WORKER", None)
    own = {"DOTENV_PATH": str(folder / ".env"), "DATA_DIR": str(folder / "var")}
    return environment | own | values


def answers(port: int, path: str) -> bool:
    """Whether a server on this machine answers 200."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5).status_code == HTTPStatus.OK
    except httpx.TransportError:
        return False


class Process:
    """A child process whose lines can be awaited."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._arrived: queue.Queue[str | None] = queue.Queue()
        self._child = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.lines)

    def wait_for(self, accepts: Callable[[str], bool], seconds: float = PATIENCE) -> str:
        """The first line that is accepted; an assertion with the output where none comes."""
        while True:
            try:
                line = self._arrived.get(timeout=seconds)
            except queue.Empty:
                line = None
            assert line is not None, self.output
            if accepts(line):
                return line

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self._child.send_signal(number)
        return self.exit_code()

    def exit_code(self, seconds: float = PATIENCE) -> int:
        """Wait for the process to end by itself."""
        code = self._child.wait(seconds)
        self._reader.join(PATIENCE)
        return code

    def discard(self) -> None:
        """Kill what still runs; for teardowns."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait(PATIENCE)
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as stream:
            for line in stream:
                self.lines.append(line.rstrip("\n"))
                self._arrived.put(self.lines[-1])
        self._arrived.put(None)
