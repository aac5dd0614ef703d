"""The guards of the sweep and of the claim, each taken out once: the same crash then loses an
order, keeps it unknown for ever or sends it twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.db import OperationalError
from django.db.models import OuterRef, QuerySet
from kombu.exceptions import OperationalError as BrokerGone

from common.wake import circuit
from tests.processes.proof import wire_requests
from tests.trading.conftest import Desk
from tests.trading.crashes import Killed, kill_at, killed, let_time_pass, recover
from tests.trading.test_claiming import queue
from tests.trading.test_lanes import die
from tests.trading.test_signal_to_ledger import send
from trading import states
from trading.models import LaneLease, Order
from trading.models.orders import OrderQuerySet
from trading.services import cancelling, execution, lanes, recovery
from trading.services.lanes import Lanes

GUARD = pytest.mark.parametrize("guarded", [True, False], ids=["with", "without"])
Patch = pytest.MonkeyPatch
Place = Callable[[Desk], object]


def lose_the_wake_up(desk: Desk, patch: Patch) -> None:
    """After the commit, before the hint."""
    send(desk)


def lose_the_broker(desk: Desk, patch: Patch) -> None:
    """The broker refuses every message; the command is taken all the same."""

    def send_task(*_: Any, **__: Any) -> None:
        raise BrokerGone("connection refused")

    patch.setattr(current_app, "send_task", send_task)
    patch.setattr(circuit, "_quiet_until", 0.0)
    assert send(desk).state == "routed"


def rest(desk: Desk) -> None:
    """Queue an order that rests in the book: no trade tells the poll of it."""
    queue(desk, 1, type="limit", price=Decimal(40_000))


def die_at(point: str, desk: Desk, patch: Patch, place: Place = send) -> None:
    """The sender dies at a crash point."""
    place(desk)
    kill_at(patch, execution, point)
    with pytest.raises(Killed):
        desk.run_orders()


def lose_the_answer(desk: Desk, patch: Patch, place: Place = send) -> None:
    """The exchange accepts and its answer never comes."""
    desk.exchange.fault("rst_after")
    place(desk)
    desk.run_orders()


def lose_the_database(desk: Desk, patch: Patch) -> None:
    """The database goes away while the request is under way: no answer can be written."""

    def gone(*_: Any) -> None:
        raise OperationalError("terminating connection due to administrator command")

    rest(desk)
    patch.setattr(execution, "_settle_all", gone)
    desk.run_orders()


def cut_a_cancel_short(desk: Desk, patch: Patch) -> None:
    """The wish is written and the process dies before it asks the exchange."""
    rest(desk)
    desk.run_orders()
    patch.setattr(cancelling, "pursue", killed)
    with pytest.raises(Killed):
        cancelling.cancel_order(principal=desk.principal, order=Order.objects.get())


@dataclass(frozen=True)
class Wreck:
    """What happens, the stage of the sweep that repairs it, the order's state after recovery with
    and without that stage, and how many orders the exchange holds.
    """

    happen: Callable[[Desk, Patch], None]
    guard: str
    repaired: str
    broken: str
    held: int = 1
    held_without: int = 1


WRECKS = {
    "before_hint": Wreck(
        lose_the_wake_up, "resume_waiting", states.FILLED, states.CREATED, held_without=0
    ),
    "after_claim": Wreck(
        partial(die_at, "after_claim"),
        "mark_abandoned",
        states.NOT_PLACED,
        states.SENDING,
        held=0,
        held_without=0,
    ),
    "after_send": Wreck(
        partial(lose_the_answer, place=rest), "resolve_unknown", states.OPEN, states.UNKNOWN
    ),
    "after_ack": Wreck(
        partial(die_at, "before_persist", place=rest),
        "mark_abandoned",
        states.OPEN,
        states.SENDING,
    ),
    "cancel_cut_short": Wreck(
        cut_a_cancel_short, "pursue_due", states.CANCELED, states.PENDING_CANCEL
    ),
    "database_lost": Wreck(lose_the_database, "mark_abandoned", states.OPEN, states.SENDING),
    "broker_lost": Wreck(
        lose_the_broker, "resume_waiting", states.FILLED, states.CREATED, held_without=0
    ),
}


@GUARD
@pytest.mark.parametrize("name", WRECKS)
def test_the_sweep_repairs_what_a_crash_left(
    make_desk: Callable[..., Desk], monkeypatch: Patch, name: str, guarded: bool
) -> None:
    wreck, desk = WRECKS[name], make_desk(1)
    with monkeypatch.context() as patch:
        wreck.happen(desk, patch)
    if not guarded:
        monkeypatch.setattr(recovery, wreck.guard, lambda mine: None)
    order = recover(desk)
    assert order.state == (wreck.repaired if guarded else wreck.broken)
    held = desk.exchange.orders(desk.keys[0])
    assert len(held) == (wreck.held if guarded else wreck.held_without)
    assert set(wire_requests(desk).values()) <= {1}


@GUARD
def test_a_claim_is_made_of_created_orders_only_so_a_repeated_wake_up_sends_nothing(
    make_desk: Callable[..., Desk], monkeypatch: Patch, guarded: bool
) -> None:
    """The sender died after the ack; its wake-up, never acknowledged, is delivered again."""
    desk = make_desk(1)
    with monkeypatch.context() as patch:
        die_at("before_persist", desk, patch)
    if not guarded:
        unsent = {"state__in": (states.CREATED, states.SENDING)}
        monkeypatch.setattr(OrderQuerySet, "due_to_send", lambda rows: rows.filter(**unsent))
    execution.run(list(Order.objects.values_list("pk", flat=True)))
    assert len(desk.exchange.orders(desk.keys[0])) == (1 if guarded else 2)
    assert list(wire_requests(desk).values()) == [1 if guarded else 2]


@GUARD
def test_three_answers_keep_an_exchange_that_lags_from_being_believed(
    make_desk: Callable[..., Desk], monkeypatch: Patch, guarded: bool
) -> None:
    """After the window the exchange says twice that it knows no such order, and it holds it."""
    desk = make_desk(1)
    lose_the_answer(desk, monkeypatch)
    lag = {"kind": "stale_query", "times": 2, "params": {"ms": 600_000}}
    match = {"method": "GET", "path": "/api/v3/order"}
    desk.exchange.call("POST", "/_fault", {"script": [{**lag, "match": match}]})
    if not guarded:
        monkeypatch.setattr(recovery, "NOT_FOUND_ANSWERS", 1)
    for _ in range(3):
        let_time_pass()
        recovery.resolve_unknown()
    order = Order.objects.get()
    assert order.state in (states.WORKING if guarded else {states.NOT_PLACED})
    assert len(desk.exchange.orders(desk.keys[0])) == 1


@GUARD
def test_owner_and_fence_in_the_claim_keep_a_stopped_sender_out_of_a_lane_that_passed_on(
    make_desk: Callable[..., Desk], monkeypatch: Patch, guarded: bool
) -> None:
    """It woke up and still believes in its lease by its own clock; the heir has the lane."""
    desk = make_desk(1)
    queue(desk, 1)
    lanes.here.renew()
    die(lanes.here)
    heir = Lanes("heir")
    assert lanes.lane_of(desk.accounts[0].pk) in heir.renew()

    def any_lease(believer: Lanes, budget: object) -> QuerySet[LaneLease]:
        return LaneLease.objects.filter(lane=OuterRef("account_id") % int(settings.EXECUTION_LANES))

    if not guarded:
        monkeypatch.setattr(Lanes, "lease_covering", any_lease)
    assert desk.run_orders() == (0 if guarded else 1)
    assert len(desk.exchange.orders(desk.keys[0])) == (0 if guarded else 1)
