"""The chain of audit records: each hash covers the record and the hash before it.

``hash = SHA256(previous hash, canonical JSON of the record with its place)``. Records are written
without a place, so that the chain makes no transaction wait for another; the follower gives places
to committed rows, one follower at a time. Every organisation has a chain of its own, and so has
what the platform does outside of any.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.db import transaction

from .models import AuditChain, AuditRecord

GENESIS = "0" * 64
PLATFORM = "platform"
BATCH = 500


def record_json(record: AuditRecord) -> dict[str, Any]:
    """The record as it is hashed and exported; times in UTC to the microsecond."""
    return {
        "seq": record.seq,
        "id": record.pk,
        "organisation_id": record.organisation_id,
        "at": record.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": record.actor,
        "action": record.action,
        "target": record.target,
        "address": record.address,
        "before": record.before,
        "after": record.after,
    }


def canonical(document: dict[str, Any]) -> str:
    """JSON with sorted keys, no blanks, ASCII only: one text for one meaning."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def record_hash(record: AuditRecord, previous: str) -> str:
    """The hash of a record with its place, behind ``previous``."""
    return sha256(f"{previous}\n{canonical(record_json(record))}".encode()).hexdigest()


def chain_records() -> int:
    """Give places to committed records; returns how many. Safe to run in several workers.

    A row committed late gets a later place, so no reader of the chain ever misses one.
    """
    total = 0
    while done := _chain_batch():
        total += done
        if done < BATCH:
            break
    return total


@transaction.atomic
def _chain_batch() -> int:
    platform, _ = AuditChain.objects.get_or_create(name=PLATFORM)
    AuditChain.objects.select_for_update(no_key=True).get(pk=platform.pk)
    rows = list(AuditRecord.objects.unchained()[:BATCH])
    if not rows:
        return 0
    heads = _heads({row.organisation_id for row in rows})
    for row in rows:
        chain = heads[row.organisation_id]
        chain.seq += 1
        row.seq, row.previous_hash = chain.seq, chain.head
        row.hash = chain.head = record_hash(row, chain.head)
    AuditRecord.objects.bulk_update(rows, ["seq", "previous_hash", "hash"], batch_size=BATCH)
    AuditChain.objects.bulk_update(heads.values(), ["seq", "head"])
    return len(rows)


def _heads(organisation_ids: set[int | None]) -> dict[int | None, AuditChain]:
    """The chains of these organisations (None: the platform's), made where they are missing."""
    organisations = apps.get_model("users", "Organisation").objects.in_bulk(
        [each for each in organisation_ids if each is not None]
    )
    AuditChain.objects.bulk_create(
        [
            AuditChain(name=organisation.uuid.hex, organisation=organisation)
            for organisation in organisations.values()
        ],
        ignore_conflicts=True,
    )
    names = [organisation.uuid.hex for organisation in organisations.values()]
    rows = AuditChain.objects.select_for_update(no_key=True).order_by("name")
    return {chain.organisation_id: chain for chain in rows.filter(name__in=[PLATFORM, *names])}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a chain, at which place."""

    chain: str
    seq: int
    problem: str

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"chain": self.chain, "seq": self.seq, "problem": self.problem}


def verify_chain(chain: AuditChain) -> list[Fault]:
    """Read a chain from its first record to its head; returns what does not fit, first first.

    Finds records that were edited, deleted, reordered, inserted or cut off. A chain that was
    rewritten as a whole agrees with itself: only its anchors tell (``events.anchors``).
    """
    faults = []
    expected, previous = 1, GENESIS
    for record in AuditRecord.objects.of_chain(chain).iterator(chunk_size=1000):
        place = record.seq or 0
        if place != expected:
            faults.append(Fault(chain.pk, expected, f"missing up to {place - 1}"))
        elif record.previous_hash != previous:
            faults.append(Fault(chain.pk, place, "does not follow the record before it"))
        if record.hash != record_hash(record, record.previous_hash):
            faults.append(Fault(chain.pk, place, "was changed after it was written"))
        expected, previous = place + 1, record.hash
    if (expected - 1, previous) != (chain.seq, chain.head):
        faults.append(Fault(chain.pk, expected, f"the chain's head stands at {chain.seq}"))
    return faults


def chains() -> Iterator[AuditChain]:
    """Every chain, the platform's among them, by name."""
    yield from AuditChain.objects.order_by("name")
