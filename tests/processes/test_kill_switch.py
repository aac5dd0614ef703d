"""The kill switch while orders wait: what is claimed after its commit is not sent, exits are."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pytest
from django.conf import settings

from common.clock import now
from riskmgmt.models import Reservation
from riskmgmt.switches import engage
from tests.processes.harness import Platform, alert_body
from tests.processes.proof import await_settled, check_positions, placed_at_exchange, wire_requests
from tests.processes.test_nothing_lost import suffer
from tests.trading.conftest import Desk
from tests.waiting import PATIENCE, PAUSE, wait_until
from trading import states
from trading.models import Order
from trading.services.closing import close_position
from tradingplatform.embedded.worker import CONCURRENCY
from webhooks.authentication import SIGNATURE_HEADER, sign
from webhooks.services import receive

pytestmark = pytest.mark.slow

ENTRIES = 50
EXITS = 5
# A free thread takes an order in a fraction of that.
TAKEN_WITHIN_SECONDS = 5.0
# Some of them warm the worker up.
MORE_THAN_THREADS = CONCURRENCY + 8


@dataclass(frozen=True)
class Waiting:
    """Fifty accounts that will be told to enter, and five that hold something to close."""

    entering: Desk
    leaving: Desk


@pytest.fixture
def waiting(make_desk: Callable[..., Desk]) -> Waiting:
    leaving = make_desk(EXITS, name="leaving")
    receive_here(leaving)
    assert leaving.run_orders() == EXITS
    leaving.settle()
    return Waiting(make_desk(ENTRIES, name="entering"), leaving)


def receive_here(desk: Desk) -> None:
    """Take an alert in this process: its rows are written and nobody is told."""
    body = alert_body(desk)
    headers = {SIGNATURE_HEADER: sign(desk.secrets.hmac_secret, body)}
    receive(body=body, headers=headers, token=None, address="203.0.113.7")


def queue_exits(desk: Desk) -> None:
    """Queue a close for every account of the desk."""
    for account in desk.accounts:
        close_position(principal=desk.principal, account=account, symbol="BTC/USDT")


def throw_switch(desk: Desk) -> datetime:
    """Engage the organisation's switch; returns a moment after its commit."""
    engage(principal=desk.principal, scope="organisation", level="REDUCING", reason="drill")
    return now()


def assert_entries_stopped(desk: Desk, engaged_at: datetime) -> int:
    """No entry claimed after the switch is at the exchange; returns how many were withdrawn."""
    withdrawn = 0
    for account, key in zip(desk.accounts, desk.keys, strict=True):
        order = Order.objects.get(account=account)
        held = [each["clientOrderId"] for each in desk.exchange.orders(key)]
        if order.claimed_at is not None and order.claimed_at <= engaged_at:
            assert held == [order.client_order_id]
            continue
        assert held == []
        assert (order.state, order.error_code) == (states.WITHDRAWN, "denied_kill_switch")
        assert order.wire_at is None
        withdrawn += 1
    return withdrawn


def assert_exits_sent(desk: Desk) -> None:
    """Every account's close reached the exchange and filled."""
    for account, key in zip(desk.accounts, desk.keys, strict=True):
        close = Order.objects.get(account=account, reduce_only=True)
        assert close.state == states.FILLED
        held = [each["clientOrderId"] for each in desk.exchange.orders(key)]
        assert held.count(close.client_order_id) == 1


def test_orders_that_waited_for_a_worker_are_withdrawn_and_exits_are_sent(
    platform: Platform, waiting: Waiting
) -> None:
    if settings.EMBEDDED:
        receive_here(waiting.entering)
    else:
        platform.start("web")
        assert platform.deliver(waiting.entering).data["pending"] is True
    queue_exits(waiting.leaving)
    assert Order.objects.filter(state=states.CREATED).count() == ENTRIES + EXITS
    engaged_at = throw_switch(waiting.entering)
    platform.start()
    await_settled()
    assert assert_entries_stopped(waiting.entering, engaged_at) == ENTRIES
    assert_exits_sent(waiting.leaving)
    assert wire_requests(waiting.entering) == {}
    assert not Reservation.objects.held().exists()
    check_positions()


def test_a_busy_worker_sends_no_entry_that_it_claims_after_the_switch(
    platform: Platform, waiting: Waiting, make_desk: Callable[..., Desk]
) -> None:
    platform.environment |= {"EXCHANGE_TIMEOUT_MS": "120000", "WEBHOOK_WAIT_SECONDS": "0"}
    slow = [make_desk(1, name=f"slow{number}") for number in range(MORE_THAN_THREADS)]
    platform.start()
    delivered = occupy(platform, slow)
    assert platform.deliver(waiting.entering).data["pending"] is True
    # Nobody waits for its routing, either.
    wait_until(lambda: waits(waiting.entering) == ENTRIES, "an order for each account")
    queue_exits(waiting.leaving)
    assert waits(waiting.leaving) == EXITS
    engaged_at = throw_switch(waiting.entering)
    waiting.entering.exchange.end_silence()
    await_settled()
    assert assert_entries_stopped(waiting.entering, engaged_at) == ENTRIES
    stopped = [assert_entries_stopped(desk, engaged_at) for desk in delivered]
    assert stopped == [0] * (len(delivered) - 1) + [1]
    assert_exits_sent(waiting.leaving)
    assert not Reservation.objects.held().exists()
    check_positions()


def occupy(platform: Platform, desks: list[Desk]) -> list[Desk]:
    """Send orders that the exchange leaves hanging until one finds no free thread; returns the
    desks up to that one, which still waits.
    """
    rest = warm_up(platform, desks)
    for number, desk in enumerate(rest):
        suffer(desk.exchange, desk.keys[0], "hang_after", seconds=PATIENCE)
        assert platform.deliver(desk).status == 200
        if not is_taken(desk):
            return rest[: number + 1]
    raise AssertionError("the worker never ran out of threads")


def warm_up(platform: Platform, desks: list[Desk]) -> list[Desk]:
    """Send ordinary orders until one is filled; returns the desks that had none. A cold process on
    a slow machine may hold an order longer than a claim is good for; it is then not placed.
    """
    for number, desk in enumerate(desks):
        assert platform.deliver(desk).status == 200
        order = Order.objects.filter(account__in=desk.accounts)
        ended = order.filter(state__in=[states.FILLED, states.NOT_PLACED])
        wait_until(ended.exists, "an order of a worker that has just started")
        if order.filter(state=states.FILLED).exists():
            return desks[number + 1 :]
    raise AssertionError("the worker never sent an order in time")


def is_taken(desk: Desk) -> bool:
    """Whether a thread brings the desk's order to the exchange; not when nobody has claimed it for
    as long as a free thread never takes.
    """
    began = time.monotonic()
    while placed_at_exchange(desk) == 0:
        waited = time.monotonic() - began
        if waited > TAKEN_WITHIN_SECONDS and is_unclaimed(desk):
            return False
        assert waited < PATIENCE, "claimed, but not at the exchange"
        time.sleep(PAUSE)
    return True


def is_unclaimed(desk: Desk) -> bool:
    """Whether nobody ever claimed the desk's order."""
    return Order.objects.filter(account__in=desk.accounts, claimed_at=None).exists()


def waits(desk: Desk) -> int:
    """How many orders of the desk nobody has claimed."""
    return Order.objects.filter(account__in=desk.accounts, state=states.CREATED).count()
