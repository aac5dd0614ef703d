"""Venues whose orders carry no id of ours: one order at a time, found by comparison, or settled by
an operator; never sent twice.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import F

from common.clock import now
from common.errors import Conflict, Invalid, NotFound
from events.models import AuditRecord
from exchanges import quirks
from monitoring.models import Alert
from tests.trading.conftest import Desk
from tests.trading.test_claiming import queue
from trading import states
from trading.models import Deal, Order, Snapshot
from trading.services import blind, recovery

MINUTE = timedelta(seconds=61)


@pytest.fixture
def desk(make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, settings: Any) -> Desk:
    """One account at an exchange that takes, shows and finds no id of ours."""
    settings.EXCHANGE_TIMEOUT_MS = 1500
    blindfolded = replace(quirks.QUIRKS["binance"], has_client_id=False)
    monkeypatch.setitem(quirks.QUIRKS, "binance", blindfolded)
    made = make_desk(1)
    made.exchange.call("POST", "/_account", {"api_key": made.keys[0], "client_ids": "none"})
    return made


def look_now(order: Order, *, later: timedelta = timedelta(0)) -> str:
    """Let recovery compare at once, so much later; the order's state."""
    Order.objects.filter(pk=order.pk).update(next_attempt_at=now())
    Snapshot.objects.update(empty_since=F("empty_since") - later)
    recovery.resolve_unknown()
    order.refresh_from_db()
    return order.state


def test_an_order_with_an_answer_is_booked_like_any_other(desk: Desk) -> None:
    queue(desk, 1)
    desk.run_orders()
    desk.settle()
    order = Order.objects.get()
    assert (order.state, order.is_blind) == (states.FILLED, True)
    assert Snapshot.objects.get().claim_token == order.claim_token


@pytest.mark.parametrize("fields", [{}, {"type": "limit", "price": Decimal(40_000)}])
def test_a_lost_answer_is_found_by_comparison(desk: Desk, fields: dict[str, Any]) -> None:
    desk.exchange.fault("rst_after")
    queue(desk, 1, **fields)
    desk.run_orders()
    order = Order.objects.get()
    assert order.state == states.UNKNOWN
    assert look_now(order) in states.WORKING | {states.FILLED}
    desk.settle()
    order.refresh_from_db()
    held = desk.exchange.orders(desk.keys[0])
    assert [str(each["orderId"]) for each in held] == [order.exchange_order_id]
    assert order.state == (states.OPEN if fields else states.FILLED)
    assert Deal.objects.count() == (0 if fields else 1)


def test_nothing_there_after_a_minute_and_three_looks_is_not_placed(desk: Desk) -> None:
    desk.exchange.fault("rst_before")
    queue(desk, 1)
    desk.run_orders()
    order = Order.objects.get()
    seen = [look_now(order), look_now(order, later=MINUTE), look_now(order)]
    assert seen == [states.UNKNOWN, states.UNKNOWN, states.NOT_PLACED]
    assert desk.exchange.orders(desk.keys[0]) == []


def test_while_one_is_in_doubt_the_next_of_its_symbol_is_not_sent(desk: Desk) -> None:
    desk.exchange.fault("rst_before")
    ids = queue(desk, 2)
    assert desk.run_orders() == 1
    assert desk.run_orders() == 0
    first, second = Order.objects.order_by("pk")
    assert [first.pk, second.pk] == ids
    assert (first.state, second.state) == (states.UNKNOWN, states.CREATED)
    with pytest.raises(IntegrityError):
        Order.objects.filter(pk=second.pk).update(is_blind=True, state=states.SENDING)


def test_a_claim_that_died_before_its_snapshot_sent_nothing(desk: Desk) -> None:
    ids = queue(desk, 1)
    long_ago = now() - timedelta(seconds=10)
    Order.objects.filter(pk__in=ids).update(
        state=states.UNKNOWN, is_blind=True, send_deadline=long_ago
    )
    assert look_now(Order.objects.get()) == states.NOT_PLACED


def in_need(desk: Desk, twins: int = 1) -> Order:
    """An order of which the exchange holds as many equals, placed by nobody we know."""
    desk.exchange.fault("rst_after" if twins else "rst_before")
    queue(desk, 1)
    desk.run_orders()
    for _ in range(twins):
        desk.exchange.call(
            "POST",
            "/_external",
            {
                "api_key": desk.keys[0],
                "symbol": "BTC/USDT",
                "side": "buy",
                "quantity": "0.001",
                "reason": "manual",
            },
        )
    order = Order.objects.get()
    assert look_now(order) == states.NEEDS_OPERATOR
    return order


def test_two_equals_need_an_operator_who_names_ours(desk: Desk) -> None:
    order = in_need(desk)
    assert Alert.objects.get(code="order_needs_operator").severity == Alert.Severity.CRITICAL
    queue(desk, 1)
    assert desk.run_orders() == 0
    ours = str(desk.exchange.orders(desk.keys[0])[0]["orderId"])
    settle = {"principal": desk.principal, "order": order}
    with pytest.raises(NotFound):
        blind.settle_by_operator(**settle, exchange_order_id="999999", reason="seen on the page")
    with pytest.raises(Invalid):
        blind.settle_by_operator(**settle, exchange_order_id=ours, reason=" ")
    order.refresh_from_db()
    assert order.state == states.NEEDS_OPERATOR
    blind.settle_by_operator(**settle, exchange_order_id=ours, reason="seen on the page")
    desk.settle()
    order.refresh_from_db()
    assert (order.state, order.exchange_order_id) == (states.FILLED, ours)
    assert AuditRecord.objects.filter(action="orders.settle").count() == 1
    assert Alert.objects.get(code="order_needs_operator").state == Alert.State.RESOLVED
    with pytest.raises(Conflict):
        blind.settle_by_operator(**settle, exchange_order_id=ours, reason="again")
    assert desk.run_orders() == 1


def test_an_operator_may_say_that_it_was_never_placed(desk: Desk) -> None:
    order = in_need(desk)
    blind.settle_by_operator(
        principal=desk.principal, order=order, exchange_order_id="", reason="support said so"
    )
    order.refresh_from_db()
    assert order.state == states.NOT_PLACED
    assert len(desk.exchange.orders(desk.keys[0])) == 2
