"""A claim: one right to send per order, the same few statements for one order as for a hundred."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from threading import Thread

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from riskmgmt.models import Reservation
from riskmgmt.switches import engage
from tests.trading.conftest import Desk
from tests.waiting import PATIENCE, wait_until
from trading import states
from trading.models import Command, Order, OrderEvent
from trading.services import execution, lanes
from trading.services.claims import Claim, claim_orders
from trading.services.commands import submit
from trading.services.intents import OrderIntent


def queue(desk: Desk, count: int, **fields: object) -> list[int]:
    """Write so many orders of 0.001 BTC on the desk's first account; returns their ids."""
    wish = {"symbol": "BTC/USDT", "side": "buy", "quantity": Decimal("0.001"), **fields}
    intents = [OrderIntent(account_id=desk.accounts[0].pk, **wish) for _ in range(count)]
    submit(principal=desk.principal, intents=intents, source="api")
    refusals = Command.objects.exclude(reason_code="").values_list("reason_code", flat=True)
    assert set(refusals) == set()
    waiting = Order.objects.due_to_send().order_by("pk")
    return list(waiting.values_list("pk", flat=True))


def statements(ids: list[int]) -> int:
    """How many statements the claim of these orders takes."""
    lanes.here.keep()
    with CaptureQueriesContext(connection) as captured:
        claim_orders(ids)
    return len(captured)


def test_a_claim_of_a_hundred_orders_takes_as_many_statements_as_a_claim_of_one(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    one = statements(queue(desk, 1))
    hundred = queue(desk, 100)
    assert len(hundred) == 100
    assert statements(hundred) == one
    assert one <= 20
    assert Order.objects.filter(pk__in=hundred, state=states.SENDING).count() == 100
    assert OrderEvent.objects.filter(order__in=hundred, new_state=states.SENDING).count() == 100


def test_orders_that_a_switch_forbids_leave_the_claim_in_one_statement(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    ids = queue(desk, 40)
    engage(principal=desk.principal, scope="account", scope_id=desk.accounts[0].pk, reason="test")
    lanes.here.keep()
    with CaptureQueriesContext(connection) as captured:
        claim = claim_orders(ids)
    assert claim.orders == ()
    assert len(captured) <= 20
    rows = Order.objects.filter(pk__in=ids)
    assert set(rows.values_list("state", "version")) == {(states.WITHDRAWN, 2)}
    assert set(rows.values_list("error_code", flat=True)) == {"denied_kill_switch"}
    steps = OrderEvent.objects.filter(order=ids[0]).order_by("id")
    assert list(steps.values_list("old_state", "new_state", "cause")) == [
        ("", states.CREATED, "submit"),
        (states.CREATED, states.SENDING, "claim"),
        (states.SENDING, states.WITHDRAWN, "risk"),
    ]
    assert not Reservation.objects.held().exists()
    assert desk.exchange.orders(desk.keys[0]) == []


def test_exits_claimed_together_shrink_to_what_is_held(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    ids = []
    for account in desk.accounts:
        intent = OrderIntent(
            account_id=account.pk, symbol="BTC/USDT", side="buy", quantity=Decimal("0.003")
        )
        submit(principal=desk.principal, intents=[intent], source="api")
    desk.run_orders()
    desk.settle()
    exits = [
        OrderIntent(
            account_id=account.pk,
            symbol="BTC/USDT",
            side="sell",
            quantity=Decimal("0.002"),
            reduce_only=True,
        )
        for account in desk.accounts
    ]
    submit(principal=desk.principal, intents=exits, source="api")
    ids = list(Order.objects.due_to_send().values_list("pk", flat=True))
    Order.objects.filter(pk=ids[0]).update(quantity=Decimal("0.5"))
    lanes.here.keep()
    quantities = {order.pk: order.quantity for order in claim_orders(ids).orders}
    assert len(quantities) == 2
    assert quantities[ids[1]] == Decimal("0.002")
    assert Decimal("0.0029") < quantities[ids[0]] <= Decimal("0.003")
    assert Order.objects.get(pk=ids[0]).quantity == quantities[ids[0]]


@pytest.mark.parametrize(("venue", "seconds"), [("rehearsal", 16), ("okx", 41), ("coinbase", 60)])
def test_a_claim_says_until_when_its_venue_may_accept(
    make_desk: Callable[..., Desk], venue: str, seconds: int
) -> None:
    desk = make_desk(1)
    ids = queue(desk, 1)
    type(desk.accounts[0]).objects.update(venue=venue)
    lanes.here.keep()
    claim_orders(ids)
    order = Order.objects.get()
    assert order.valid_until - order.send_deadline == timedelta(seconds=seconds)


def test_what_waits_for_its_turn_is_claimed_together(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    ids = queue(desk, 6)
    claims: list[list[int]] = []

    def noted(order_ids: Sequence[int]) -> Claim:
        claims.append(sorted(order_ids))
        return claim_orders(order_ids)

    monkeypatch.setattr(execution, "claim_orders", noted)
    counts: list[int] = []

    def send(own: list[int]) -> None:
        counts.append(execution.run_with_others(own))
        connection.close()

    threads = [Thread(target=send, args=[ids[start : start + 2]]) for start in (0, 2, 4)]
    with lanes.here.turn:
        for thread in threads:
            thread.start()
        wait_until(lambda: len(execution._told._ids) == 6)
    for thread in threads:
        thread.join(PATIENCE)
    assert (claims, sorted(counts)) == ([ids], [0, 0, 6])
    assert set(Order.objects.values_list("state", flat=True)) == {states.FILLED}


def test_what_was_told_is_taken_once_and_nothing_is_left_behind() -> None:
    told = execution.Told()
    told.add([1, 2, 1, 3])
    told.add(range(4, 9))
    assert told.take(5) == [1, 2, 3, 4]
    assert told.take(5) == [5, 6, 7, 8]
    assert told.take(5) == []


def test_a_message_larger_than_a_batch_is_claimed_at_once(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "MOST_AT_ONCE", 2)
    assert execution.run_with_others(queue(make_desk(1), 5)) == 5
