"""PostgreSQL, Redis and the rehearsal exchange as processes of the campaign's own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg

from tests.faults.processes import ROOT, Child
from tests.ground.ports import free_port

SUPERUSER = "postgres"
START_SECONDS = 90.0
PAUSE = 0.1


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs; Debian keeps them off the search path. Raises
    FileNotFoundError.
    """
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or next(map(str, kept), None)
    if found is None:
        raise FileNotFoundError(f"{name} of PostgreSQL is not installed")
    return found


def accepts(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """One server that can be killed and started again on the same port."""

    def __init__(self, folder: Path, name: str) -> None:
        self.port = free_port()
        self.folder = folder
        self._log = folder / f"{name}.log"
        self._lock = threading.Lock()
        self._child: Child | None = None

    def command(self) -> list[str]:
        """The command line."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Its environment: nothing of ours but the search path."""
        return {"PATH": os.environ["PATH"], "LC_ALL": "C"}

    def user(self) -> str | None:
        """The user it runs as; None for our own."""
        return None

    def is_ready(self) -> bool:
        """Whether it answers."""
        return accepts(self.port)

    def start(self) -> None:
        """Start it and return once it answers; raises TimeoutError."""
        give_up_at = time.monotonic() + START_SECONDS
        with self._lock:
            while time.monotonic() < give_up_at:
                if self._child is None or not self._child.is_alive():
                    self._child = Child(
                        self.command(), self._log, self.environment(), user=self.user()
                    )
                if self.is_ready():
                    return
                time.sleep(PAUSE)
        raise TimeoutError(f"no answer on port {self.port}, see {self._log}")

    def kill(self) -> None:
        """kill -9."""
        self.send(signal.SIGKILL)
        assert self._child is not None
        self._child.await_end(10)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        if self._child is not None:
            self._child.send(number)

    def stop(self) -> None:
        """End it in whatever state it is; safe to repeat."""
        if self._child is None or not self._child.is_alive():
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGINT)
        if not self._child.await_end(10):
            self.kill()


class Postgres(Server):
    """A cluster of its own. It is killed, so fsync and synchronous_commit stay on."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "postgres")
        self._data = folder / "cluster"

    def user(self) -> str | None:
        """PostgreSQL refuses to run as root."""
        return SUPERUSER if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """The address of the campaign's database."""
        return f"postgres://{SUPERUSER}@127.0.0.1:{self.port}/campaign"

    def make(self) -> None:
        """Create the cluster and the database."""
        self._data.mkdir()
        if (user := self.user()) is not None:
            os.chown(self._data, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        subprocess.run(
            [
                program("initdb"),
                "-A",
                "trust",
                "-U",
                SUPERUSER,
                "-E",
                "UTF8",
                "-D",
                str(self._data),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            user=self.user(),
        )
        self.start()
        with self._connection() as connection:
            connection.execute("CREATE DATABASE campaign")

    def command(self) -> list[str]:
        """The server on its port, with room for many processes' pools."""
        options = {"max_connections": "300", "unix_socket_directories": str(self._data)}
        words = [program("postgres"), "-D", str(self._data), "-p", str(self.port)]
        return words + [f"--{name}={value}" for name, value in options.items()]

    def is_ready(self) -> bool:
        """Whether a session can be opened; not before recovery from a crash is over."""
        try:
            self._connection().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            dbname="postgres",
            autocommit=True,
            connect_timeout=2,
        )


class Redis(Server):
    """A Redis without persistence: what it held is gone when it is killed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "redis")

    @property
    def url(self) -> str:
        """Its address, database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """A bare server."""
        words = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        return words + ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]


class Rehearsal(Server):
    """The rehearsal exchange with prices that wander, its own faults seeded."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder, "exchange")
        self._seed = seed

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """It reads settings like every management command, and needs none of them."""
        own = {"EPHEMERAL_KEYS": "true", "DOTENV_PATH": os.devnull, "DATA_DIR": str(self.folder)}
        return super().environment() | own

    def command(self) -> list[str]:
        """The command that ships with the platform."""
        words = [sys.executable, str(ROOT / "manage.py"), "simulator", "--port", str(self.port)]
        return words + ["--price-mode", "walk", "--seed", str(self._seed), "--closed"]
