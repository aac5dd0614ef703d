"""Keeps the rehearsal exchange running as a child process beside the platform."""

import ctypes
import http.client
import logging
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

logger = logging.getLogger(__name__)
VENUE = "rehearsal"
LOCAL_HOSTS = ("127.0.0.1", "localhost")
START_SECONDS = 120.0
STOP_SECONDS = 10.0
RESTART_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1


def local_rehearsal_port() -> int | None:
    """The port of the venue `rehearsal` if EXCHANGE_VENUES puts it on our own REHEARSAL_PORT."""
    venue = settings.EXCHANGE_VENUES.get(VENUE)
    address = venue.get("base_url") if isinstance(venue, dict) else None
    if not isinstance(address, str):
        return None
    parts = urlsplit(address)
    expected = settings.REHEARSAL_PORT or settings.PORT + 1001
    is_ours = parts.scheme == "http" and parts.hostname in LOCAL_HOSTS and parts.port == expected
    return expected if is_ours else None


class Rehearsal:
    """A supervised child: started again when it dies, ended with this process.

    It leaves the terminal's process group, so that Ctrl-C reaches the platform alone and the
    exchange still answers while running requests finish.
    """

    def __init__(self, port: int, data: Path) -> None:
        self.port = port
        self._data = data
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._watch = threading.Thread(target=self._supervise, name="rehearsal", daemon=True)

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def start(self) -> None:
        """Begin; `wait_until_ready` tells when it answers."""
        self._watch.start()

    def wait_until_ready(self) -> None:
        """Return once the exchange answers; raises TimeoutError."""
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            if self.answers():
                return
            self._stopping.wait(0.05)
        raise TimeoutError(f"the rehearsal exchange does not answer on port {self.port}")

    def answers(self) -> bool:
        """Whether a ping over HTTP succeeds."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            client.request("GET", "/api/v3/ping")
            return client.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            client.close()

    def stop(self) -> None:
        """End the child; kills it where it does not end in time."""
        self._stopping.set()
        self._watch.join(STOP_SECONDS + 5)

    def _supervise(self) -> None:
        while not self._stopping.is_set():
            self._child = self._launch()
            while self._child.poll() is None and not self._stopping.wait(0.2):
                pass
            if self._stopping.is_set():
                break
            logger.warning("The rehearsal exchange ended (code %s)", self._child.returncode)
            self._stopping.wait(RESTART_SECONDS)
        self._end_child()

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "simulator"]
        command += ["--port", str(self.port), "--data", str(self._data)]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )

    def _end_child(self) -> None:
        child = self._child
        if child is None or child.poll() is not None:
            return
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Runs in the child before it becomes the exchange: end it when this process is killed."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
