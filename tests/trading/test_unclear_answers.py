"""Whatever the exchange answers or does not answer: one order there, found, adopted, its deal
once.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from django.db import connections

from common.clock import now
from tests.trading.conftest import Desk
from tests.trading.crashes import Killed, killed
from tests.trading.test_signal_to_ledger import send
from tests.waiting import PATIENCE, wait_until
from trading import states
from trading.models import Deal, Order, Position
from trading.services import recovery

ACCEPTED_AND_UNCLEAR = (
    "hang_after",
    "rst_after",
    "close_after",
    "cut_body_after",
    "bad_json_after",
    "html_after",
    "empty_after",
    "no_id_after",
    "http_502_after",
    "http_504_after",
    "http_503_after",
    "e1006_after",
    "e1007_after",
    "e1000_after",
    "unmapped_400_after",
)
NEVER_ACCEPTED = ("rst_before", "e1001_before", "e1008_before", "html_before")


def look_now(order: Order) -> Order:
    """Let recovery ask about the order at once."""
    Order.objects.filter(pk=order.pk).update(next_attempt_at=now())
    recovery.resolve_unknown()
    order.refresh_from_db()
    return order


@pytest.mark.parametrize("kind", ACCEPTED_AND_UNCLEAR)
def test_an_accepted_order_with_an_unclear_answer_is_found_and_booked_once(
    make_desk: Callable[..., Desk], settings: object, kind: str
) -> None:
    settings.EXCHANGE_TIMEOUT_MS = 700
    desk = make_desk(1)
    desk.exchange.fault(kind, seconds=2)
    send(desk)
    desk.run_orders()
    order = Order.objects.get()
    assert order.state == states.UNKNOWN
    assert order.error_code
    assert look_now(order).state in states.WORKING
    assert (order.error_code, order.error_message) == ("", "")
    desk.settle()
    order.refresh_from_db()
    assert (order.state, order.filled_quantity) == (states.FILLED, Decimal("0.004"))
    held = desk.exchange.orders(desk.keys[0])
    assert [str(each["orderId"]) for each in held] == [order.exchange_order_id]
    assert Deal.objects.count() == 1
    assert Position.objects.get().quantity == desk.exchange.held(desk.keys[0], "BTC")


@pytest.mark.parametrize("kind", NEVER_ACCEPTED)
def test_absence_is_concluded_only_after_the_window_and_nothing_is_sent_again(
    make_desk: Callable[..., Desk], kind: str
) -> None:
    desk = make_desk(1)
    desk.exchange.fault(kind)
    send(desk)
    desk.run_orders()
    order = Order.objects.get()
    assert order.state == states.UNKNOWN
    for _ in range(5):
        assert look_now(order).state == states.UNKNOWN
    long_ago = now() - timedelta(minutes=2)
    Order.objects.filter(pk=order.pk).update(wire_at=long_ago, send_deadline=long_ago)
    assert [look_now(order).state for _ in range(3)] == [
        states.UNKNOWN,
        states.UNKNOWN,
        states.NOT_PLACED,
    ]
    assert desk.exchange.orders(desk.keys[0]) == []
    assert Deal.objects.count() == 0


def test_an_old_question_is_asked_again_soon_once_the_exchange_answers_it(
    make_desk: Callable[..., Desk],
) -> None:
    """Looks that fail come ever more seldom; a "not found" brings the next one within seconds."""
    desk = make_desk(1)
    desk.exchange.fault("rst_before")
    send(desk)
    desk.run_orders()
    long_ago = now() - timedelta(minutes=4)
    Order.objects.update(wire_at=long_ago, send_deadline=long_ago)
    look = {"method": "GET", "path": "/api/v3/order"}
    script = [{"kind": "http_502_before", "times": 1, "match": look}]
    desk.exchange.call("POST", "/_fault", {"script": script})
    failed = look_now(Order.objects.get())
    assert (failed.state, failed.not_found_count) == (states.UNKNOWN, 0)
    assert failed.next_attempt_at > now() + timedelta(seconds=20)
    told = look_now(failed)
    assert (told.state, told.not_found_count) == (states.UNKNOWN, 1)
    assert told.next_attempt_at <= now() + recovery.LOOK_AGAIN_AFTER


def test_orders_and_trades_are_scanned_with_the_last_question_and_it_counts_only_with_them(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    desk.exchange.fault("rst_before")
    send(desk)
    desk.run_orders()
    long_ago = now() - timedelta(minutes=4)
    Order.objects.update(wire_at=long_ago, send_deadline=long_ago)
    scan = {"method": "GET", "path": "/api/v3/openOrders"}
    script = [{"kind": "http_502_before", "times": 1, "match": scan}]
    desk.exchange.call("POST", "/_fault", {"script": script})
    counts = []
    for _ in range(4):
        order = look_now(Order.objects.get())
        counts.append((order.state, order.not_found_count))
    assert counts == [
        (states.UNKNOWN, 1),
        (states.UNKNOWN, 2),
        (states.UNKNOWN, 2),
        (states.NOT_PLACED, 3),
    ]


def test_a_process_that_dies_in_mid_look_holds_the_question_up_for_seconds_only(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    desk.exchange.fault("rst_before")
    send(desk)
    desk.run_orders()
    long_ago = now() - timedelta(minutes=10)
    Order.objects.update(wire_at=long_ago, send_deadline=long_ago)
    order = Order.objects.get()
    monkeypatch.setattr(recovery, "gateway", killed)
    with pytest.raises(Killed):
        look_now(order)
    order.refresh_from_db()
    assert now() < order.next_attempt_at <= now() + recovery.LOOK_LEASE


def test_an_order_accepted_late_is_found(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    desk.exchange.fault("late_accept", ms=3_600_000)
    send(desk)
    desk.run_orders()
    order = Order.objects.get()
    assert look_now(order).state == states.UNKNOWN
    desk.exchange.let_arrive()
    assert look_now(order).state in states.WORKING
    desk.settle()
    order.refresh_from_db()
    assert order.state == states.FILLED
    assert len(desk.exchange.orders(desk.keys[0])) == 1


def test_an_order_held_for_absent_is_adopted_when_it_shows_up(
    make_desk: Callable[..., Desk], settings: object
) -> None:
    settings.EXCHANGE_TIMEOUT_MS = 500
    desk = make_desk(1)
    desk.exchange.fault("hang_after", seconds=1)
    send(desk)
    desk.run_orders()
    Order.objects.update(state=states.NOT_PLACED, next_attempt_at=None)
    desk.settle()
    order = Order.objects.get()
    assert order.state == states.FILLED
    assert Deal.objects.get().order_id == order.pk
    assert Position.objects.get().allocated


def test_a_definite_refusal_is_final_and_names_the_reason(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    desk.exchange.fault("revoked")
    send(desk)
    desk.run_orders()
    order = Order.objects.select_related("account").get()
    assert (order.state, order.error_code) == (states.REJECTED, "key_refused")
    assert order.account.status == "suspended"
    assert desk.exchange.orders(desk.keys[0]) == []


def test_a_look_that_hangs_keeps_no_other_order_unknown(
    make_desk: Callable[..., Desk], settings: Any
) -> None:
    settings.EXCHANGE_TIMEOUT_MS = PATIENCE * 1000
    desk = make_desk(2)
    desk.exchange.fault("http_502_after", times=2)
    send(desk)
    desk.run_orders()
    Order.objects.update(next_attempt_at=now())
    hanging = {"method": "GET", "path": "/api/v3/order", "api_key": desk.keys[0]}
    rule = {"match": hanging, "kind": "hang_before", "times": 1, "params": {"seconds": PATIENCE}}
    desk.exchange.call("POST", "/_fault", {"script": [rule]})
    sweeper = Thread(target=lambda: (recovery.resolve_unknown(), connections.close_all()))
    sweeper.start()
    first, second = Order.objects.order_by("account")

    def is_settled() -> bool:
        second.refresh_from_db()
        return second.state != "UNKNOWN"

    wait_until(is_settled)
    was_looking = sweeper.is_alive()
    first.refresh_from_db()
    assert (first.state, second.state, was_looking) == ("UNKNOWN", "OPEN", True)
    desk.exchange.end_silence()
    sweeper.join()
