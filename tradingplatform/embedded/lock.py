"""Lets one server at a time serve a database; the operating system frees the lock of a dead one."""

import fcntl
import os
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from tradingplatform.backends import postgresql_parameters

# The advisory lock's number on PostgreSQL: "trading!" in ASCII.
ADVISORY_LOCK = 0x74726164696E6721


class AlreadyServed(Exception):
    """Another server holds the lock; the text says who."""


class FileLock:
    """An exclusive lock on a file beside the SQLite database (not on it: SQLite has its own there).

    Not for network file systems. The descriptor is not inherited by child processes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock and write this process's id into the file; raises AlreadyServed."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise AlreadyServed(f"this data is served by process {holder}") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Free the lock; the file stays, because removing it would race with another start."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class AdvisoryLock:
    """A session lock in PostgreSQL on a connection of its own; it ends with the connection."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._parameters = parameters
        self._connection: psycopg.Connection[Any] | None = None

    def acquire(self) -> None:
        """Take the lock; raises AlreadyServed."""
        dedicated = psycopg.connect(**self._parameters, autocommit=True)
        row = dedicated.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK]).fetchone()
        if row is None or not row[0]:
            dedicated.close()
            raise AlreadyServed("this database is served by another process")
        self._connection = dedicated

    def release(self) -> None:
        """Free the lock by closing its connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def server_lock() -> FileLock | AdvisoryLock:
    """The lock that belongs to the configured database, not yet taken."""
    if connection.vendor == "sqlite":
        return FileLock(Path(f"{connection.settings_dict['NAME']}.lock"))
    return AdvisoryLock(postgresql_parameters())
