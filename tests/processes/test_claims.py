"""Racing threads: one claim per order, and limits that hold when ten want the last place."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from decimal import Decimal
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.db import connection

from riskmgmt.limits import set_limits
from riskmgmt.models import Reservation
from tests.processes.harness import alert_body
from tests.processes.proof import wire_requests
from tests.trading.conftest import Desk
from tests.waiting import PATIENCE
from trading import states
from trading.models import Command, Order
from trading.services import execution, lanes
from trading.services.claims import Claim
from trading.services.commands import submit
from trading.services.exits import Exits
from trading.services.intents import OrderIntent
from webhooks.authentication import SIGNATURE_HEADER, sign
from webhooks.services import receive

WORKERS = 3
RACERS = 10


def race(count: int, act: Callable[[int], None]) -> None:
    """Run ``act`` in so many threads that all begin at the same moment."""
    barrier = Barrier(count)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(PATIENCE)
            act(number)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert failures == []


def queue_entries(desk: Desk) -> list[int]:
    """Write one entry order per account of the desk; returns their ids."""
    body = alert_body(desk)
    headers = {SIGNATURE_HEADER: sign(desk.secrets.hmac_secret, body)}
    receive(body=body, headers=headers, token=None, address="203.0.113.7")
    return list(Order.objects.values_list("pk", flat=True))


def test_a_wake_up_delivered_three_times_at_once_sends_each_order_once(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(5)
    ids = queue_entries(desk)
    claimed: list[int] = []
    race(WORKERS, lambda _: claimed.append(execution.run(ids)))
    assert sorted(claimed) == [0, 0, 5]
    assert list(wire_requests(desk).values()) == [1] * 5
    assert set(Order.objects.values_list("state", flat=True)) == {states.FILLED}


def test_without_the_state_condition_the_same_race_sends_every_order_again(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the conditional claim is there to prevent."""
    desk = make_desk(5)
    ids = queue_entries(desk)
    read = Barrier(WORKERS)
    monkeypatch.setattr(lanes.here, "turn", nullcontext())
    strict_claim = execution.claim_orders

    def careless_claim(order_ids: Sequence[int]) -> Claim:
        rows = tuple(Order.objects.filter(pk__in=order_ids).select_related("account"))
        read.wait(PATIENCE)
        return Claim(uuid4(), rows, strict_claim([]).deadline, Exits(()))

    monkeypatch.setattr(execution, "claim_orders", careless_claim)
    race(WORKERS, lambda _: execution.run(ids) and None)
    assert list(wire_requests(desk).values()) == [WORKERS] * 5


def test_ten_racers_for_three_places_under_a_limit_get_exactly_three(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    account = desk.accounts[0]
    set_limits(
        principal=desk.principal,
        scope="account",
        scope_id=account.pk,
        max_position_value=Decimal("350"),
    )

    def enter(number: int) -> None:
        intent = OrderIntent(
            account_id=account.pk, symbol="BTC/USDT", side="buy", quantity=Decimal("0.002")
        )
        submit(
            principal=desk.principal,
            intents=[intent],
            source="api",
            correlation_id=f"racer-{number}",
        )

    race(RACERS, enter)
    commands = Command.objects.filter(account=account)
    assert commands.filter(state=Command.State.ACCEPTED).count() == 3
    refusals = commands.filter(state=Command.State.DENIED).values_list("reason_code", flat=True)
    assert list(refusals) == ["denied_max_position_value"] * 7
    held = Reservation.objects.held().values_list("notional", flat=True)
    assert list(held) == [Decimal(100)] * 3
    assert desk.run_orders() == 3
    assert len(desk.exchange.orders(desk.keys[0])) == 3
