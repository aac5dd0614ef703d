"""Histories of orders, numbers of events, consumers, unknown times."""

from datetime import datetime

from events.audit_chain import chain_records
from events.audit_files import follow_chains
from events.models import Event, ParkedEvent, Sequence
from events.verification import verify_all
from tests.faults.compare import Findings
from trading import states
from trading.models import Command, Order, OrderEvent


def compare(findings: Findings) -> None:
    """Each order's history leads to its state by moves of the table; events have no gap."""
    _compare_histories(findings)
    seqs = list(Event.objects.exclude(seq=None).order_by("seq").values_list("seq", flat=True))
    if seqs != list(range(1, len(seqs) + 1)):
        findings.add("event_gaps", f"{len(seqs)} events, numbers up to {seqs[-1]}")
    last = Sequence.objects.filter(name="events").values_list("last", flat=True).first() or 0
    if seqs and last != seqs[-1]:
        findings.add("event_gaps", f"the sequence stands at {last}, the last event is {seqs[-1]}")
    for parked in ParkedEvent.objects.select_related("event"):
        findings.add("events_parked", f"{parked.consumer}: {parked.event.kind} {parked.error}")
    for command in Command.objects.filter(state=Command.State.RECEIVED):
        findings.add("commands_unjudged", f"command {command.pk}")
    unanswered = Command.objects.filter(state=Command.State.ACCEPTED, order=None)
    for command in unanswered.filter(kind__in=Command.PLACING):
        findings.add("commands_without_order", f"command {command.pk} {command.kind}")


def _compare_histories(findings: Findings) -> None:
    reached: dict[int, str] = {}
    for event in OrderEvent.objects.order_by("order", "pk"):
        before = reached.get(event.order_id, "")
        is_move = not before or states.may_move(before, event.new_state)
        if event.old_state != before or not is_move:
            findings.add(
                "history_breaks",
                f"order {event.order_id}: {before} then {event.old_state} -> {event.new_state}",
            )
        reached[event.order_id] = event.new_state
    for pk, state in Order.objects.values_list("pk", "state"):
        if reached.get(pk) != state:
            findings.add("history_breaks", f"order {pk} is {state}, its history {reached.get(pk)}")


def longest_unknown() -> float:
    """Seconds that the order which was unknown for the longest time was so."""
    began: dict[int, datetime] = {}
    longest = 0.0
    for event in OrderEvent.objects.order_by("order", "pk"):
        if event.new_state == states.UNKNOWN:
            began[event.order_id] = event.at
        elif event.order_id in began:
            longest = max(longest, (event.at - began.pop(event.order_id)).total_seconds())
    return round(longest, 1)


def audit_chain(findings: Findings) -> str:
    """``ok`` where every chain of audit records and its file verify, else ``broken``."""
    chain_records()
    follow_chains()
    faults = verify_all(with_files=True).faults
    for fault in faults:
        findings.add("audit_faults", str(fault.as_json()))
    return "broken" if faults else "ok"
