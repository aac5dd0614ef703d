"""Lanes: shared fairly, passed on when their holder dies, worth nothing without the lease."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db.models import F
from kombu import Queue

from tests.trading.conftest import Desk
from tests.trading.test_claiming import queue
from tests.trading.test_signal_to_ledger import send
from trading import states
from trading.models import LaneLease, LaneWorker, Order
from trading.services import execution, lanes
from trading.services.lanes import Lanes

LONG_AGO = timedelta(hours=1)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _eight_lanes(settings: Any) -> None:
    settings.EXECUTION_LANES = 8
    queues = current_app.amqp.queues
    for lane in range(8):
        if lanes.queue_of(lane) not in queues:
            queues.add(Queue(lanes.queue_of(lane)))


def die(worker: Lanes) -> None:
    """What the database shows once a worker's leases have run out."""
    LaneLease.objects.filter(owner=worker.owner).update(expires_at=F("expires_at") - LONG_AGO)
    LaneWorker.objects.filter(owner=worker.owner).update(expires_at=F("expires_at") - LONG_AGO)


def test_workers_come_to_share_the_lanes_equally() -> None:
    workers = [Lanes(f"worker-{number}") for number in range(3)]
    assert workers[0].renew() == frozenset(range(8))
    for _ in range(3):
        for worker in workers:
            worker.renew()
    shares = [worker.owned() for worker in workers]
    assert sorted(len(share) for share in shares) == [2, 3, 3]
    assert frozenset().union(*shares) == frozenset(range(8))


def test_a_worker_without_the_lease_claims_nothing(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(1)
    queue(desk, 2)
    Lanes("other").renew()
    lanes.here.renew()
    monkeypatch.setattr(lanes.here, "renew", lanes.here.owned)
    monkeypatch.setattr(lanes.here, "_held", {})
    assert desk.run_orders() == 0
    assert set(Order.objects.values_list("state", "version")) == {(states.CREATED, 0)}
    assert desk.exchange.orders(desk.keys[0]) == []


def test_a_lane_that_passed_on_is_not_claimed_by_the_belief_of_before(
    make_desk: Callable[..., Desk],
) -> None:
    """The worker still believes in its lease by its own clock; the database knows better."""
    desk = make_desk(1)
    queue(desk, 1)
    lanes.here.renew()
    lane = lanes.lane_of(desk.accounts[0].pk)
    die(lanes.here)
    heir = Lanes("heir")
    assert lane in heir.renew()
    assert lane in lanes.owned()
    assert desk.run_orders() == 0
    assert Order.objects.get().state == states.CREATED
    lanes.here.forget()
    heir.release()
    assert desk.run_orders() == 1
    order = Order.objects.get()
    assert (order.state, order.fence) == (states.FILLED, LaneLease.objects.get(lane=lane).fence)
    assert order.fence == 3
    assert len(desk.exchange.orders(desk.keys[0])) == 1


def test_a_lease_too_short_for_the_send_budget_claims_nothing(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    queue(desk, 1)
    lanes.here.renew()
    almost = timedelta(seconds=lanes.lease_seconds() - 1.5)
    LaneLease.objects.update(expires_at=F("expires_at") - almost)
    assert desk.run_orders() == 0
    assert Order.objects.get().state == states.CREATED


def test_a_dead_workers_lanes_pass_to_the_living_with_a_higher_fence() -> None:
    one, two = Lanes("one"), Lanes("two")
    for worker in (one, two, one, two):
        worker.renew()
    assert (len(one.owned()), len(two.owned())) == (4, 4)
    lost = sorted(one.owned())
    before = dict(LaneLease.objects.values_list("lane", "fence"))
    die(one)
    assert two.renew() == frozenset(range(8))
    after = dict(LaneLease.objects.values_list("lane", "fence"))
    assert [after[lane] - before[lane] for lane in lost] == [1] * 4
    kept = set(range(8)) - set(lost)
    assert all(after[lane] == before[lane] for lane in kept)


def test_a_lane_with_work_under_way_is_given_up_only_after_it() -> None:
    one, two = Lanes("one"), Lanes("two")
    one.renew()
    two.renew()
    with one.at_work({7}):
        assert one.renew() == frozenset(range(4))
        two.renew()
        assert 7 not in two.owned()
    one.renew()
    assert two.renew() == frozenset({4, 5, 6, 7})


def test_orders_of_all_lanes_go_out_with_one_call(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(5)
    send(desk)
    assert len({lanes.lane_of(account.pk) for account in desk.accounts}) == 5
    assert desk.run_orders() == 5
    desk.settle()
    assert set(Order.objects.values_list("state", flat=True)) == {states.FILLED}


def test_the_wake_ups_of_a_fan_out_go_to_the_queues_of_its_lanes(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(3)
    woken: dict[str, list[int]] = {}

    def wake_up(task: str, queue: str, *, order_ids: list[int]) -> None:
        assert task == "trading.execute"
        woken.setdefault(queue, []).extend(order_ids)

    monkeypatch.setattr(lanes, "wake_on_commit", wake_up)
    send(desk)
    expected = {
        lanes.queue_of(lanes.lane_of(order.account_id)): [order.pk] for order in Order.objects.all()
    }
    assert woken == expected


def test_the_lanes_of_one_holder_share_a_wake_up_in_a_queue_of_its_own(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(6)
    workers = [Lanes(f"worker-{number}") for number in range(2)]
    for worker in (*workers, *workers):
        worker.renew()
    woken: dict[str, list[int]] = {}

    def wake_up(task: str, queue: str, *, order_ids: list[int]) -> None:
        assert queue not in woken
        woken[queue] = order_ids

    monkeypatch.setattr(lanes, "wake_on_commit", wake_up)
    send(desk)
    for worker in workers:
        own = [each for each in Order.objects.order_by("pk") if _lane(each) in worker.owned()]
        assert woken.pop(lanes.queue_of(_lane(own[0]))) == [order.pk for order in own]
    assert woken == {}


def _lane(order: Order) -> int:
    return lanes.lane_of(order.account_id)


def test_two_orders_of_one_account_never_overtake_each_other(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    ids = queue(desk, 12)
    execution.run(ids[6:] + ids[:6])
    desk.settle()
    held = sorted(desk.exchange.orders(desk.keys[0]), key=lambda each: int(each["orderId"]))
    wanted = Order.objects.order_by("pk").values_list("client_order_id", flat=True)
    assert [each["clientOrderId"] for each in held] == list(wanted)
