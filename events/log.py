"""Writing to the log: events and audit records, in the transaction of what they tell."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from common.bulk import insert_rows
from common.principal import Principal
from common.redaction import redact_json
from common.wake import Coalesced, once_on_commit

from .models import AuditRecord, Event

# Live streams and consumers hear of an event so much later at most while many are written.
SEQUENCER_PAUSE_SECONDS = 0.1
# A process that is no worker tells one less often: what its orders come to is a worker's own event.
FAR_SEQUENCER_PAUSE_SECONDS = 0.5
SEQUENCE = "events.sequence"
_sequencer = Coalesced(SEQUENCE, SEQUENCER_PAUSE_SECONDS, FAR_SEQUENCER_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event about to be written; ``payload`` must be JSON-able with money as text."""

    kind: str
    organisation_id: int
    topics: tuple[str, ...]
    payload: dict[str, Any] = field(default_factory=dict)


def publish(
    kind: str, *, organisation_id: int, topics: Iterable[str], payload: dict[str, Any]
) -> None:
    """Write one event; numbered and delivered after the current transaction commits."""
    publish_all([NewEvent(kind, organisation_id, tuple(topics), payload)])


def publish_all(events: Iterable[NewEvent]) -> None:
    """Write several events in their order with one statement."""
    rows = [
        Event(
            kind=event.kind,
            organisation_id=event.organisation_id,
            topics=[f"org:{event.organisation_id}", *event.topics],
            payload=event.payload,
        )
        for event in events
    ]
    if rows:
        insert_rows(rows, with_ids=False)
        once_on_commit(wake_sequencer)


def wake_sequencer() -> None:
    """Tell a worker that unnumbered events stand in the log."""
    _sequencer.wake()


def audit(
    principal: Principal | None,
    action: str,
    *,
    target: str = "",
    organisation_id: int | None = None,
    actor: str = "",
    address: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Record an act. Secrets in ``before`` and ``after`` are masked; the actor comes from the
    principal.
    """
    AuditRecord.objects.create(
        organisation_id=principal.organisation_id if principal else organisation_id,
        actor=(principal.key if principal else actor)[:120],
        action=action,
        target=target[:160],
        address=(principal.address if principal else address) or None,
        before=redact_json(before),
        after=redact_json(after),
    )
