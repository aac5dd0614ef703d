"""Child processes that write to log files, and processes forked by the nursery."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
LAST_LINES = 30


class Child:
    """A process started by a command line."""

    def __init__(
        self, words: list[str], log: Path, environment: dict[str, str], *, user: str | None = None
    ) -> None:
        with log.open("ab") as target:
            self._process = subprocess.Popen(
                words,
                cwd=ROOT if user is None else "/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=subprocess.STDOUT,
                user=user,
                start_new_session=True,
            )
        self.started = time.monotonic()

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where it has ended."""
        self._process.send_signal(number)

    def await_end(self, seconds: float) -> bool:
        """Whether it ended in time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


class Forked:
    """A process that the nursery forked: not a child of ours, so it is held by a descriptor.

    ``ready_at`` is when it began to be of use, None before; whoever watches it says so.
    """

    def __init__(self, pid: int) -> None:
        self.started = time.monotonic()
        self.ready_at: float | None = None
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._descriptor = -1

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return not self.await_end(0)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where it has ended."""
        if self._descriptor >= 0:
            try:
                signal.pidfd_send_signal(self._descriptor, number)
            except ProcessLookupError:
                return

    def await_end(self, seconds: float) -> bool:
        """Whether it ended in time."""
        if self._descriptor < 0:
            return True
        readable, _, _ = select.select([self._descriptor], [], [], seconds)
        if readable:
            os.close(self._descriptor)
            self._descriptor = -1
        return bool(readable)


class Nursery:
    """Starts platform processes in a blink: forks of one process that has imported everything.

    What it forks runs the same management command as ``manage.py``; only the two seconds of imports
    are saved, without which kills every second would leave nobody alive to be killed.
    """

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.inside.nursery"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def fork(self, words: list[str], log: Path) -> Forked:
        """A process of ``manage.py WORDS``; call it from one thread at a time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"words": words, "log": str(log)}) + "\n")
        self._process.stdin.flush()
        return Forked(int(self._process.stdout.readline()))

    def close(self) -> None:
        """End it; what it forked and still runs is killed by the kernel."""
        self._process.kill()
        self._process.wait(10)


def run_inside(module: str, environment: dict[str, str], given: dict[str, Any], log: Path) -> Any:
    """Run a module of ``tests.faults.inside`` to its end: JSON in, JSON out.

    Raises RuntimeError with the log's last lines where it fails.
    """
    with log.open("ab") as errors:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.faults.inside.{module}"],
            cwd=ROOT,
            env=environment,
            input=json.dumps(given).encode(),
            stdout=subprocess.PIPE,
            stderr=errors,
            check=False,
        )
    if done.returncode != 0:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        raise RuntimeError(f"{module} failed, {log}:\n{last}")
    return json.loads(done.stdout)
