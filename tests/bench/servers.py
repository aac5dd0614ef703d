"""PostgreSQL and Redis of the bench's own, on free ports, gone with it."""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

import psycopg
import redis

from tests.bench.process import Child
from tests.ground.ports import free_port

START_SECONDS = 30


def _postgres_user() -> str | None:
    """Who may run PostgreSQL: it refuses root."""
    if os.getuid():
        return None
    pwd.getpwnam("postgres")
    return "postgres"


def _program(name: str) -> str:
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    if found is None:
        raise FileNotFoundError(f"{name} is needed for the bench and was not found")
    return found


class Postgres(Child):
    """A fresh cluster in ``folder`` that commits as durably as a real one."""

    def __init__(self, folder: Path) -> None:
        user = _postgres_user()
        folder.mkdir(parents=True)
        if user:
            shutil.chown(folder, user)
        data = folder / "data"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "user": user}
        subprocess.run(
            [_program("initdb"), "-A", "trust", "-U", "postgres", "--no-sync", "-D", str(data)],
            check=True,
            cwd=folder,
            **quiet,
        )
        self.port = free_port()
        options = ["-c", "max_connections=200", "-c", "shared_buffers=256MB"]
        command = [_program("postgres"), "-D", str(data), "-k", str(folder), "-p", str(self.port)]
        super().__init__("postgresql", subprocess.Popen([*command, *options], cwd=folder, **quiet))
        self._await()

    def _await(self) -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > give_up_at or not self.is_running():
                    raise
                time.sleep(0.1)

    def url(self, name: str) -> str:
        """The address of a database."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, *, template: str = "template1") -> str:
        """A new database; its address."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def cpu(self) -> float:
        """CPU seconds of the whole cluster, sessions that have ended included."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return ended + super().cpu() + sum(Child.cpu_of(int(child)) for child in children)


class Redis(Child):
    """A Redis without persistence."""

    def __init__(self) -> None:
        self.port = free_port()
        command = ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        super().__init__(
            "redis",
            subprocess.Popen(
                [*command, "--bind", "127.0.0.1"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
            ),
        )

    @property
    def url(self) -> str:
        """The address of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def keys_waiting(self) -> int:
        """How many messages stand in the broker's lists."""
        with redis.Redis.from_url(self.url) as client:
            lists = [key for key in client.scan_iter() if client.type(key) == b"list"]
            return sum(int(client.llen(key)) for key in lists)
