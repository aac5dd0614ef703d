"""The audit trail as files: ``org_<id>.jsonl`` per organisation, one line per record, in order.

The database is the truth, the file its follower: append-only, flushed to the disk, one file a day
(``org_<id>.2026-11-24.jsonl`` for days that are over). What stands in the file tells where to go
on, so that neither a crash nor a restart leaves a gap or a double.
"""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from common.clock import now

from .audit_chain import BATCH, Fault, canonical, chains, record_json
from .models import AuditChain, AuditRecord

TAIL_BYTES = 65_536


def audit_folder() -> Path:
    """``OMS_AUDIT_DIR``, made when missing, for the owner only."""
    folder = Path(settings.OMS_AUDIT_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def audit_file(chain: AuditChain) -> Path:
    """Today's file of a chain; its name comes from the organisation's uuid and nothing else."""
    return audit_folder() / (f"org_{chain.pk}.jsonl" if chain.organisation_id else "platform.jsonl")


def write_durably(path: Path, lines: list[str]) -> None:
    """Append lines and wait until they are on the disk; nothing for no lines."""
    if not lines:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())


def follow_chains() -> int:
    """Bring every file up to its chain's head; returns how many lines were written."""
    return sum(_follow(chain.pk) for chain in chains() if chain.exported < chain.seq)


def _follow(name: str) -> int:
    written = 0
    while True:
        with transaction.atomic():
            chain = AuditChain.objects.select_for_update(no_key=True).get(pk=name)
            done = _follow_batch(chain)
        written += done
        if done < BATCH:
            return written


def _follow_batch(chain: AuditChain) -> int:
    path = audit_file(chain)
    _rotate(path)
    last = _last_line(path)
    chain.exported = max(chain.exported, int(last["seq"]) if last else 0)
    records = list(AuditRecord.objects.of_chain(chain).filter(seq__gt=chain.exported)[:BATCH])
    write_durably(path, [line_of(record) for record in records])
    if records:
        chain.exported = records[-1].seq or chain.exported
    chain.save(update_fields=["exported"])
    return len(records)


def line_of(record: AuditRecord) -> str:
    """A record's line: what is hashed, and the two hashes."""
    hashes = {"previous_hash": record.previous_hash, "hash": record.hash}
    return canonical({**record_json(record), **hashes})


def _rotate(path: Path) -> None:
    """Give a file of an earlier day that day's name, unless that exists."""
    if not path.is_file():
        return
    day = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    target = path.with_suffix(f".{day.isoformat()}.jsonl")
    if day < _today() and not target.exists():
        path.rename(target)


def _today() -> date:
    return now().astimezone(UTC).date()


def _last_line(path: Path) -> dict[str, Any] | None:
    """The last whole line; a torn one, left by a crash, is cut off first."""
    if not path.is_file() or path.stat().st_size == 0:
        return None
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        if not tail.endswith(b"\n"):
            torn = len(tail) - (tail.rfind(b"\n") + 1)
            file.truncate(size - torn)
            tail = tail[: len(tail) - torn]
    lines = tail.splitlines()
    return dict(json.loads(lines[-1])) if lines else None


def verify_file(chain: AuditChain) -> list[Fault]:
    """Compare a chain's files, oldest first, with its records up to what was exported."""
    path = audit_file(chain)
    files = [*sorted(path.parent.glob(f"{path.stem}.*.jsonl")), path]
    lines = [
        line
        for file in files
        if file.is_file()
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    records = AuditRecord.objects.of_chain(chain).filter(seq__lte=chain.exported)
    wanted = [line_of(record) for record in records.iterator(chunk_size=1000)]
    for place, (line, expected) in enumerate(zip(lines, wanted, strict=False), start=1):
        if line != expected:
            return [Fault(chain.pk, place, "the file does not say what the database says")]
    if len(lines) != len(wanted):
        place = min(len(lines), len(wanted)) + 1
        return [Fault(chain.pk, place, f"the files have {len(lines)} of {len(wanted)} records")]
    return []
