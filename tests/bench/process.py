"""A child process and what the kernel says it used."""

import os
import signal
import subprocess
import time
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STOP_SECONDS = 30


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, with that of its threads that have ended."""
    clock_of_process = (~pid << 3) | 2
    return time.clock_gettime(clock_of_process)


def resident_mb(pid: int) -> float:
    """Resident memory in MB (of a million bytes)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


class Child:
    """A process that the bench has started and ends itself, by its id."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name = name
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @staticmethod
    def cpu_of(pid: int) -> float:
        """CPU seconds of another process; 0 when it has just ended."""
        try:
            return cpu_seconds(pid)
        except OSError:
            return 0.0

    def cpu(self) -> float:
        """CPU seconds so far."""
        return cpu_seconds(self.pid)

    def memory(self) -> float:
        """Resident MB now."""
        return resident_mb(self.pid)

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it to end; kill it when it does not."""
        if self.is_running():
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
