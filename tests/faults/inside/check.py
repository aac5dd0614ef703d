"""Waits until the ledger has settled, then holds it against the exchange's own books."""

import json
import math
import sys
import time
from typing import Any

import httpx
from django.db import DatabaseError, connection
from django.db.models import Count, F, Max, Q
from django.utils.dateparse import parse_datetime

from accounts.models import Account
from events.consumers import registered
from events.models import ConsumerCursor, Event, Sequence
from tests.faults.compare import Findings, Leg, compare_attempts, compare_orders
from tests.faults.inside import acknowledged, books, history
from tests.faults.inside.books import PREFIX
from trading import states
from trading.models import Command, Order, Protection, TradeCursor
from trading.services.rebuild import check_stream, streams
from trading.services.reconcile import nudge
from webhooks.models import Signal

MOVING = frozenset(
    {states.CREATED, states.SENDING, states.UNKNOWN, states.PENDING_CANCEL, states.PENDING_REPLACE}
)
PAUSE = 0.5
POLL_AGAIN = 5.0
# What another poll brings.
ASKED_FOR = {"unread", "unasked"}


def unsettled(since: str) -> dict[str, int]:
    """What is still under way, by name; empty when the ledger stands still.

    ``since`` is the moment the faults ended: every account must have been read after it, and after
    its own newest deal, which a stream may have told since.
    """
    newest = Account.objects.annotate(newest=Max("deals__created_at"))
    read = newest.filter(synced_at__gt=parse_datetime(since)).filter(
        Q(newest=None) | Q(synced_at__gt=F("newest"))
    )
    signals = Signal.objects.filter(state__in=(Signal.State.RECEIVED, Signal.State.ROUTED))
    waiting = {
        "orders": Order.objects.filter(state__in=MOVING).count(),
        "signals": signals.count(),
        "unsettled_sets": Protection.objects.active().exclude(state="protected").count(),
        "unnumbered": Event.objects.filter(seq=None).count(),
        "behind": _behind(),
        "unread": Account.objects.count() - read.count(),
        "unasked": TradeCursor.objects.filter(checked_at=None).count(),
    }
    return {name: count for name, count in waiting.items() if count}


def _behind() -> int:
    """How many consumers have not come to the last event."""
    last = Sequence.objects.filter(name="events").values_list("last", flat=True).first() or 0
    reached = dict(ConsumerCursor.objects.values_list("name", "seq"))
    return sum(1 for consumer in registered() if reached.get(consumer.name, 0) < last)


def await_settled(since: str, seconds: float) -> dict[str, int]:
    """Wait until nothing is under way twice in a row; returns what still is when for so many
    seconds nothing has come to an end: how long all of it takes is the machine's affair.

    The polls that the verdict waits for are asked for as an operator would, not waited for: next to
    a stream that is well they are half a minute apart.
    """
    give_up_at = time.monotonic() + seconds
    asked_at = -POLL_AGAIN
    quiet, fewest = 0, math.inf
    waiting = {"database": 1}
    while quiet < 2 and time.monotonic() < give_up_at:
        time.sleep(PAUSE)
        try:
            waiting = unsettled(since)
            if waiting and waiting.keys() <= ASKED_FOR and time.monotonic() > asked_at + POLL_AGAIN:
                nudge(Account.objects.values_list("pk", flat=True), within=0)
                asked_at = time.monotonic()
            if (left := sum(waiting.values())) < fewest:
                fewest, give_up_at = left, time.monotonic() + seconds
        except DatabaseError:
            connection.close()
        quiet = 0 if waiting else quiet + 1
        sys.stderr.write(f"waiting for {waiting}\n")
    return waiting


def legs() -> list[Leg]:
    """Every order row as the comparison sees it."""
    return [
        Leg(
            account=order.account.name,
            name=f"order {order.pk} {order.state}",
            client_ids=frozenset({order.client_order_id}),
            exchange_order_id=order.exchange_order_id,
            placed=order.state in states.WORKING | states.VENUE_STATES,
        )
        for order in Order.objects.select_related("account")
    ]


def check(given: dict[str, Any]) -> dict[str, Any]:
    """The verdict: counts of differences by kind, examples, and the figures of the report."""
    waiting = await_settled(given["since"], given["patience"])
    dump = httpx.get(f"{given['exchange']}/dump", timeout=60).json()
    findings = Findings()
    for name, count in waiting.items():
        findings.counts[f"unsettled_{name}"] += count
    compare_orders(legs(), dump["accounts"], PREFIX, findings)
    compare_attempts(dump["requests"], PREFIX, findings)
    deals = books.compare(dump["accounts"], findings)
    history.compare(findings)
    acknowledged.compare(given["outcomes"], findings)
    audit_chain = history.audit_chain(findings)
    commands = Command.objects
    return {
        "counts": dict(findings.counts),
        "examples": findings.examples,
        "commands": commands.filter(state=Command.State.ACCEPTED).count(),
        "denied": commands.filter(state=Command.State.DENIED).count(),
        "denied_for": dict(
            commands.filter(state=Command.State.DENIED)
            .values_list("reason_code")
            .annotate(count=Count("pk"))
            .order_by("-count")
        ),
        "by_kind": {
            kind: commands.filter(kind=kind, state=Command.State.ACCEPTED).count()
            for kind in Command.Kind.values
        },
        "states": {
            state: count
            for state in states.STATES
            if (count := Order.objects.filter(state=state).count())
        },
        "orders_on_exchange": sum(len(each["orders"]) for each in dump["accounts"].values()),
        "external_orders": sum(
            not order["clientOrderId"].startswith(PREFIX)
            for each in dump["accounts"].values()
            for order in each["orders"]
        ),
        "deals": deals,
        "audit_chain": audit_chain,
        "rebuild_diff": sum(len(check_stream(stream)) for stream in streams()),
        "unknown_left": Order.objects.filter(
            state__in=(states.SENDING, states.UNKNOWN, states.NEEDS_OPERATOR)
        ).count(),
        "max_unknown_age_s": history.longest_unknown(),
    }


if __name__ == "__main__":
    json.dump(check(json.load(sys.stdin)), sys.stdout)
