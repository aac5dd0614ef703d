"""The guards behind recovery, each taken out once: without it the same events lose or double an
order, with it they do not.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.clock import now
from exchanges.connection import VenueConnection
from exchanges.limiter import VenueLimiter
from exchanges.outcomes import REFUSED, VenueError
from monitoring.models import Alert
from tests.processes.proof import wire_requests
from tests.trading.conftest import Desk
from tests.trading.test_claiming import queue
from tests.trading.test_signal_to_ledger import send
from tests.trading.test_unclear_answers import look_now
from trading import states
from trading.models import Order
from trading.services import agenda, execution, reconcile, recovery

HOUR_MS = 3_600_000
GUARD = pytest.mark.parametrize("guarded", [True, False], ids=["with", "without"])


@GUARD
def test_the_send_deadline_keeps_an_old_claim_from_sending(
    make_desk: Callable[..., Desk], settings: Any, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    settings.EXECUTION_SEND_BUDGET_MS = 200
    desk = make_desk(1)
    send(desk)

    async def acquire(limiter: VenueLimiter, cost: float = 1.0) -> None:
        await asyncio.sleep(0.4)

    async def admitted(connection: VenueConnection) -> None:
        await connection.limiter.acquire()

    monkeypatch.setattr(VenueLimiter, "acquire", acquire)
    if not guarded:
        monkeypatch.setattr(VenueConnection, "_admitted", admitted)
    desk.run_orders()
    assert list(wire_requests(desk).values()) == ([] if guarded else [1])


@GUARD
def test_the_request_window_keeps_a_late_order_from_being_called_absent(
    make_desk: Callable[..., Desk], settings: Any, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    desk = make_desk(1)
    desk.exchange.fault("late_accept", ms=HOUR_MS)
    send(desk)
    desk.run_orders()
    if not guarded:
        monkeypatch.setattr(recovery, "last_acceptance", lambda *_: now() - timedelta(days=1))
    order = Order.objects.get()
    for _ in range(3):
        look_now(order)
    assert order.state == (states.UNKNOWN if guarded else states.NOT_PLACED)
    desk.exchange.let_arrive()
    assert len(desk.exchange.orders(desk.keys[0])) == 1


@GUARD
def test_adoption_ties_a_late_order_of_a_venue_without_a_window_to_its_row(
    make_desk: Callable[..., Desk], settings: Any, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Accepted after absence was concluded by the rules: only adoption is left."""
    desk = make_desk(1)
    desk.exchange.call("POST", "/_account", {"api_key": desk.keys[0], "client_ids": "no_window"})
    desk.exchange.fault("late_accept", ms=HOUR_MS)
    send(desk)
    desk.run_orders()
    order = Order.objects.get()
    long_ago = now() - timedelta(minutes=2)
    Order.objects.update(wire_at=long_ago, send_deadline=long_ago)
    for _ in range(3):
        look_now(order)
    assert order.state == states.NOT_PLACED
    desk.exchange.let_arrive()
    assert len(desk.exchange.orders(desk.keys[0])) == 1
    if not guarded:
        monkeypatch.setattr(reconcile, "_adopt", lambda *_: None)
    desk.settle()
    order.refresh_from_db()
    assert order.state == (states.FILLED if guarded else states.NOT_PLACED)
    assert len(desk.exchange.orders(desk.keys[0])) == 1


@GUARD
def test_a_late_order_that_rests_in_the_book_is_adopted_without_a_trade(
    make_desk: Callable[..., Desk], settings: Any, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    desk = make_desk(1)
    desk.exchange.call("POST", "/_account", {"api_key": desk.keys[0], "client_ids": "no_window"})
    desk.exchange.fault("late_accept", ms=HOUR_MS)
    queue(desk, 1, type="limit", price=Decimal(40_000))
    desk.run_orders()
    order = Order.objects.get()
    long_ago = now() - timedelta(minutes=2)
    Order.objects.update(wire_at=long_ago, send_deadline=long_ago)
    for _ in range(3):
        look_now(order)
    assert order.state == states.NOT_PLACED
    desk.exchange.let_arrive()
    assert len(desk.exchange.orders(desk.keys[0])) == 1
    if not guarded:
        monkeypatch.setattr(agenda, "DEAD_WATCHED_FOR", timedelta(0))
    desk.settle()
    order.refresh_from_db()
    assert order.state == (states.OPEN if guarded else states.NOT_PLACED)
    assert Alert.objects.filter(code="late_order_adopted").exists() == guarded


@GUARD
def test_the_state_table_keeps_a_late_write_back_from_sending_again(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """A sender that was stopped reports "not sent" about an order called unknown meanwhile."""
    desk = make_desk(1)
    desk.exchange.fault("rst_after")
    send(desk)
    desk.run_orders()
    order = Order.objects.get()
    assert order.state == states.UNKNOWN
    if not guarded:
        monkeypatch.setattr(states, "may_move", lambda old, new: True)
    late = VenueError(outcome="not_sent", code="send_deadline_passed", message="woken too late")
    execution.write_back([(order.pk, late)])
    order.refresh_from_db()
    assert order.state == (states.UNKNOWN if guarded else states.CREATED)
    Order.objects.update(next_attempt_at=now())
    desk.run_orders()
    assert len(desk.exchange.orders(desk.keys[0])) == (1 if guarded else 2)


@GUARD
def test_the_allow_list_of_refusals_keeps_an_accepted_order_from_being_called_refused(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    desk = make_desk(1)
    desk.exchange.fault("http_502_after")
    send(desk)
    if not guarded:
        judged = VenueConnection._judged

        def careless(connection: VenueConnection, *arguments: Any) -> VenueError:
            verdict = judged(connection, *arguments)
            return VenueError(outcome=REFUSED, code=verdict.code, message=verdict.message)

        monkeypatch.setattr(VenueConnection, "_judged", careless)
    desk.run_orders()
    assert Order.objects.get().state == (states.UNKNOWN if guarded else states.REJECTED)
    assert len(desk.exchange.orders(desk.keys[0])) == 1
