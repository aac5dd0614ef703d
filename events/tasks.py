"""Celery entry points of the log; also driven by beat, so that a lost wake-up costs a second at
most.
"""

from typing import Any

from celery import shared_task

from common.single_flight import single_flight

from .anchors import anchor_chains
from .audit_chain import chain_records
from .audit_files import follow_chains
from .consumers import run_consumers
from .log import SEQUENCE
from .sequencer import number_events

_sequence = single_flight(number_events)
_consume = single_flight(run_consumers)


@single_flight
def _follow_audit() -> None:
    chain_records()
    follow_chains()


def sequence_and_consume() -> None:
    """Number committed events, then let the consumers run; a slow one does not hold up numbers."""
    _sequence()
    _consume()


@shared_task(name=SEQUENCE)
def sequence(**_: Any) -> None:
    """See :func:`sequence_and_consume`."""
    sequence_and_consume()


@shared_task(name="events.consume")
def consume(**_: Any) -> None:
    """Let every durable consumer catch up."""
    _consume()


@shared_task(name="events.audit")
def audit(**_: Any) -> None:
    """Chain new audit records and bring the audit files up to them."""
    _follow_audit()


@shared_task(name="events.anchor")
def anchor(**_: Any) -> None:
    """Sign where the audit chains stand."""
    anchor_chains()
