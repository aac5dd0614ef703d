"""What may be concluded when the exchange, the network or our own reading of it is in doubt."""

import asyncio
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from django.db import DatabaseError

from common.clock import now
from exchanges import client
from exchanges.limiter import VenueLimiter
from tests.processes.proof import wire_requests
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading import states
from trading.models import Deal, Order, Position
from trading.services import reconcile, recovery


def look_now() -> None:
    """Let recovery ask about every unknown order at once."""
    Order.objects.filter(state=states.UNKNOWN).update(next_attempt_at=now())
    recovery.resolve_unknown()


def test_an_answer_that_cannot_be_read_leaves_the_outcome_unknown(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    send(desk)
    with monkeypatch.context() as patch:

        def stumble(*_: Any) -> Any:
            raise InvalidOperation

        patch.setattr(client, "venue_order", stumble)
        desk.run_orders()
    order = Order.objects.get()
    assert (order.state, order.error_code) == (states.UNKNOWN, "unclear_answer")
    look_now()
    desk.settle()
    order.refresh_from_db()
    assert (order.state, order.filled_quantity) == (states.FILLED, Decimal("0.004"))
    assert list(wire_requests(desk).values()) == [1]


def test_an_order_that_waited_in_the_request_budget_past_its_deadline_is_not_sent(
    make_desk: Callable[..., Desk], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXECUTION_SEND_BUDGET_MS = 300
    desk = make_desk(1)
    send(desk)
    with monkeypatch.context() as patch:

        async def acquire(limiter: VenueLimiter, cost: float = 1.0) -> None:
            settings.EXECUTION_SEND_BUDGET_MS = 2000
            await asyncio.sleep(0.4)

        patch.setattr(VenueLimiter, "acquire", acquire)
        desk.run_orders()
    order = Order.objects.get()
    assert (order.state, order.error_code) == (states.CREATED, "send_deadline_passed")
    assert wire_requests(desk) == {}


def test_one_look_that_cannot_be_written_does_not_stop_the_others(
    make_desk: Callable[..., Desk], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(2)
    desk.exchange.fault("no_id_after", times=2)
    send(desk)
    desk.run_orders()
    first, second = Order.objects.order_by("pk")
    assert (first.state, second.state) == (states.UNKNOWN, states.UNKNOWN)
    honest = recovery._conclude

    def stumble(seen: Order, look: Any) -> None:
        if seen.pk == first.pk:
            raise DatabaseError("a row that cannot be written")
        honest(seen, look)

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "_conclude", stumble)
        look_now()
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.state == states.UNKNOWN
    assert second.state in states.WORKING
    look_now()
    first.refresh_from_db()
    assert first.state in states.WORKING


def test_a_trade_seen_before_its_order_can_be_looked_up_waits_for_the_order(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    desk.exchange.fault("no_id_after")
    send(desk)
    desk.run_orders()
    order = Order.objects.get()
    assert order.state == states.UNKNOWN
    lagging = {"kind": "stale_query", "times": 1, "params": {"ms": 60_000}}
    match = {"method": "GET", "path": "/api/v3/order"}
    desk.exchange.call("POST", "/_fault", {"script": [{**lagging, "match": match}]})
    reconcile.poll(desk.accounts)
    assert Deal.objects.count() == 0
    look_now()
    desk.settle()
    order.refresh_from_db()
    assert (order.state, order.filled_quantity) == (states.FILLED, Decimal("0.004"))
    assert Deal.objects.get().order_id == order.pk
    assert Position.objects.get().allocated
