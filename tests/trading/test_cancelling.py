"""A cancel is a wish that is kept until the exchange's word settles it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from common.clock import now
from common.errors import Conflict
from monitoring.models import Alert
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading import states
from trading.models import Command, Order
from trading.services import recovery
from trading.services.cancelling import cancel_order, pursue_due
from trading.services.closing import terminate_account


def resting(desk: Desk) -> Order:
    """A limit order far below the market, working at the exchange."""
    send(desk, order_type="limit", price="30000")
    desk.run_orders()
    return Order.objects.get()


def test_a_waiting_order_is_withdrawn_and_never_sent(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    send(desk)
    order = Order.objects.get()
    cancel_order(principal=desk.principal, order=order)
    assert (order.state, order.error_code) == (states.WITHDRAWN, "cancelled_before_sending")
    assert desk.run_orders() == 0
    assert desk.exchange.orders(desk.keys[0]) == []


def test_a_working_order_is_cancelled_at_the_exchange(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    order = resting(desk)
    assert order.state == states.OPEN
    command = cancel_order(principal=desk.principal, order=order, request_id="c-1")
    assert order.state == states.CANCELED
    assert [each["status"] for each in desk.exchange.orders(desk.keys[0])] == ["CANCELED"]
    assert cancel_order(principal=desk.principal, order=order, request_id="c-1").pk == command.pk
    with pytest.raises(Conflict) as finished:
        cancel_order(principal=desk.principal, order=order)
    assert finished.value.details == {"state": states.CANCELED}
    assert Command.objects.filter(kind="cancel_order").count() == 1


def test_a_cancel_that_the_exchange_did_not_take_is_pursued(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    order = resting(desk)
    script = {"match": {"method": "DELETE", "path": "/api/v3/order"}, "kind": "e1001_before"}
    desk.exchange.call("POST", "/_fault", {"script": [script]})
    cancel_order(principal=desk.principal, order=order)
    assert order.state == states.PENDING_CANCEL
    Order.objects.update(next_attempt_at=now())
    pursue_due()
    order.refresh_from_db()
    assert order.state == states.CANCELED


def test_an_unknown_order_is_cancelled_once_it_is_found(
    make_desk: Callable[..., Desk], settings: object
) -> None:
    settings.EXCHANGE_TIMEOUT_MS = 700
    desk = make_desk(1)
    desk.exchange.fault("rst_after")
    order = resting(desk)
    assert order.state == states.UNKNOWN
    result = terminate_account(principal=desk.principal, account=desk.accounts[0])
    assert result.cancelled_orders == 0
    assert [error["code"] for error in result.errors] == ["cancel_pending"]
    Order.objects.update(next_attempt_at=now())
    recovery.resolve_unknown()
    order.refresh_from_db()
    assert order.state == states.PENDING_CANCEL
    recovery.sweep()
    order.refresh_from_db()
    assert order.state == states.CANCELED


def test_a_venue_that_is_gone_does_not_hold_up_the_others(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    send(desk)
    gone, other = desk.accounts
    gone.venue = "gone"
    gone.save(update_fields=["venue"])
    Order.objects.update(created_at=now() - timedelta(seconds=3))
    recovery.sweep()
    assert dict(Order.objects.values_list("account_id", "state")) == {
        gone.pk: states.WITHDRAWN, other.pk: states.FILLED,
    }  # fmt: skip
    gone.refresh_from_db()
    assert (gone.status, gone.status_reason) == ("suspended", "unknown_venue")


def test_a_working_order_that_its_venue_forgets_stays_and_is_reported(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    order = resting(desk)
    blind = {"kind": "stale_query", "times": 3, "params": {"ms": 600_000}}
    blind["match"] = {"method": "GET", "path": "/api/v3/order"}
    desk.exchange.call("POST", "/_fault", {"script": [blind]})
    for polls in range(1, 4):
        desk.settle()
        order.refresh_from_db()
        assert (order.state, order.not_found_count) == (states.OPEN, polls)
    assert Alert.objects.get(code="working_order_missing").severity == "critical"
    desk.settle()
    order.refresh_from_db()
    assert (order.state, order.not_found_count) == (states.OPEN, 0)
