"""A sender that is stopped and wakes too late, one that dies, and cancels cut short: each order at
most once, each cancel carried out.
"""

import os
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from threading import Thread

import pytest

from common.clock import now
from tests.ground.servers import Process
from tests.processes.harness import Platform
from tests.processes.proof import await_settled, check_positions, prove, wire_requests
from tests.trading.conftest import Desk
from tests.waiting import wait_until
from trading import states
from trading.models import LaneLease, Order, OrderEvent
from trading.services import cancelling
from trading.services.commands import submit
from trading.services.intents import OrderIntent

pytestmark = pytest.mark.slow


def is_stopped(process: Process) -> bool:
    """Whether the kernel holds the process stopped."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def past_deadline(desk: Desk) -> bool:
    """Whether the claim on the desk's order has run out."""
    order = Order.objects.get(account=desk.accounts[0])
    return order.send_deadline is not None and now() > order.send_deadline


@pytest.mark.parametrize("point", ["after_claim", "before_send"])
def test_a_sender_stopped_after_its_claim_and_woken_too_late_does_not_send(
    platform: Platform, make_desk: Callable[..., Desk], point: str
) -> None:
    """Alone, it finds its claim too old and claims anew; where another worker has called the order
    unknown meanwhile, it is not sent at all.
    """
    desk = make_desk(1, name=point)
    platform.start(crash_at=f"stop-{point}")
    sender = Thread(target=platform.deliver, args=[desk])
    sender.start()
    stopped = platform.running[platform.sender]
    wait_until(lambda: is_stopped(stopped), "the sender is stopped")
    assert Order.objects.get().state == states.SENDING
    wait_until(lambda: past_deadline(desk), "the claim is too old")
    heirs = "worker2" if platform.sender == "worker" else ""
    if heirs:
        platform.start(heirs)
        unknown = Order.objects.filter(state=states.UNKNOWN)
        wait_until(unknown.exists, "the heir calls the order unknown")
    first_claim = Order.objects.get().claimed_at
    assert wire_requests(desk) == {}
    os.kill(stopped.pid, signal.SIGCONT)
    sender.join()
    await_settled()
    order = Order.objects.get()
    if heirs:
        assert (order.state, wire_requests(desk)) == (states.NOT_PLACED, {})
    else:
        assert prove(desk) == len(wire_requests(desk))
        assert order.state == states.NOT_PLACED or order.claimed_at > first_claim
    assert set(wire_requests(desk).values()) <= {1}
    check_positions()


@pytest.mark.distributed
def test_a_killed_workers_lanes_move_and_its_orders_are_sent_once(
    platform: Platform, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(8, name="moving")
    platform.start("web", "beat", "worker1", "worker2")

    def shares() -> list[int]:
        owners = list(LaneLease.objects.exclude(owner="").values_list("owner", flat=True))
        return sorted(owners.count(owner) for owner in set(owners))

    wait_until(lambda: shares() == [4, 4], "two workers share eight lanes")
    platform.kill("worker1")
    reply = platform.deliver(desk)
    assert reply.status == 200
    await_settled()
    assert shares() == [8]
    assert prove(desk) == 8
    assert list(wire_requests(desk).values()) == [1] * 8
    fences = set(Order.objects.values_list("fence", flat=True))
    assert fences == set(LaneLease.objects.values_list("fence", flat=True))
    check_positions()


@pytest.mark.parametrize("point", ["before_cancel", "cancel_in_flight"])
def test_a_cancel_cut_short_is_carried_out_by_the_next_sweep(
    platform: Platform, make_desk: Callable[..., Desk], point: str
) -> None:
    desk = make_desk(1, name=point)
    intent = OrderIntent(
        account_id=desk.accounts[0].pk,
        symbol="BTC/USDT",
        side="buy",
        type="limit",
        quantity=Decimal("0.001"),
        price=Decimal(40_000),
    )
    submit(principal=desk.principal, intents=[intent], source="api")
    assert desk.run_orders() == 1
    order = Order.objects.get()
    assert order.state == states.OPEN
    platform.start(*(role for role in platform.roles if role != "web"), crash_at=point)
    cancelling._write_wish(desk.principal, order, "cut-short")
    platform.await_death(platform.sender, point)
    at_venue = desk.exchange.orders(desk.keys[0])[0]["status"]
    assert at_venue == ("NEW" if point == "before_cancel" else "CANCELED")
    order.refresh_from_db()
    assert order.state == states.PENDING_CANCEL
    platform.start(platform.sender)
    await_settled()
    order.refresh_from_db()
    assert order.state == states.CANCELED
    assert desk.exchange.orders(desk.keys[0])[0]["status"] == "CANCELED"
    steps = OrderEvent.objects.filter(order=order).values_list("new_state", flat=True)
    assert list(steps)[-2:] == [states.PENDING_CANCEL, states.CANCELED]
