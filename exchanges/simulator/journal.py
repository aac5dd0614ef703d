"""Durable state: an append-only journal over a snapshot. What was answered survives a kill -9."""

import asyncio
import fcntl
import json
import os
from pathlib import Path
from typing import Any

ROTATE_BYTES = 64 * 1024 * 1024


class Journal:
    """Numbered JSON lines in ``journal.jsonl`` on top of ``snapshot.json``; one process writes.

    ``append`` hands the line to the kernel at once (safe from a killed process); ``durable`` waits
    for the disk, many callers sharing one fsync. Files are readable by their owner only.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._snapshot = directory / "snapshot.json"
        self._path = directory / "journal.jsonl"
        self._number = 0
        self._size = 0
        self._fd = -1
        self._synced = 0
        self._flushing: asyncio.Future[None] | None = None

    def load(self) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """Open the files; returns the snapshot and the records after it. Cuts a torn last line.

        Raises ``OSError`` while another process has the journal open.
        """
        self._fd = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        snapshot = None
        if self._snapshot.exists():
            envelope = json.loads(self._snapshot.read_text())
            snapshot, self._number = envelope["state"], envelope["number"]
        records, good = self._read_lines()
        os.ftruncate(self._fd, good)
        self._size = good
        return snapshot, records

    def append(self, record: dict[str, Any]) -> None:
        """Write one record."""
        self._number += 1
        record["number"] = self._number
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        view = memoryview(line)
        while view:
            view = view[os.write(self._fd, view) :]
        self._size += len(line)

    @property
    def is_long(self) -> bool:
        """Whether it is time for a new snapshot."""
        return self._size > ROTATE_BYTES

    async def durable(self) -> None:
        """Return once everything appended so far is on the disk."""
        wanted = self._number
        while self._synced < wanted:
            if self._flushing is None:
                self._flushing = asyncio.ensure_future(self._flush())
            await asyncio.shield(self._flushing)

    async def _flush(self) -> None:
        reach = self._number
        try:
            await asyncio.get_running_loop().run_in_executor(None, os.fdatasync, self._fd)
            self._synced = max(self._synced, reach)
        finally:
            self._flushing = None

    def rotate(self, state: dict[str, Any]) -> None:
        """Replace the snapshot by ``state`` and empty the journal; safe at any crash between."""
        fresh = self._snapshot.with_suffix(".new")
        fd = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as target:
            json.dump({"number": self._number, "state": state}, target, separators=(",", ":"))
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(self._snapshot)
        os.ftruncate(self._fd, 0)
        self._size = 0
        self._synced = self._number

    def close(self) -> None:
        """Close the file; the journal cannot be used afterwards."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read_lines(self) -> tuple[list[dict[str, Any]], int]:
        """The records newer than the snapshot, and how many bytes of the file are whole lines."""
        records: list[dict[str, Any]] = []
        good = 0
        for line in self._path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            record = json.loads(line)
            good += len(line)
            if record["number"] > self._number:
                records.append(record)
                self._number = record["number"]
        return records, good
