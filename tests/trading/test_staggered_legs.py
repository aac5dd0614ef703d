"""Legs of a group's order that are sent one after the other, within a price, and enough of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from common.clock import now
from common.errors import Invalid
from events.models import Event
from monitoring.models import Alert
from riskmgmt.switches import engage
from tests.trading.test_fan_out import BUY, SYMBOL, House, make_house
from trading.models import Command, Order
from trading.services import recovery
from trading.services.legs import legs, tally
from trading.services.minimum import BELOW, judge_executions

__all__ = ["make_house"]


def time_passes(seconds: int) -> None:
    """Everything that waits was written so much earlier."""
    span = timedelta(seconds=seconds)
    for order in Order.objects.filter(state="CREATED"):
        Order.objects.filter(pk=order.pk).update(
            created_at=order.created_at - span,
            not_before=order.not_before and order.not_before - span,
            next_attempt_at=order.next_attempt_at and order.next_attempt_at - span,
        )


def test_staggered_legs_go_out_in_turn_found_by_the_sweep_alone(
    make_house: Callable[..., House],
) -> None:
    house = make_house(3)
    done = house.execute(replace(BUY, stagger_seconds=50))
    assert house.orders_there() == [1, 0, 0]
    assert tally(legs(done))["pending"] == 2
    for seconds, sent in ((45, [1, 0, 0]), (10, [1, 1, 0]), (40, [1, 1, 0]), (10, [1, 1, 1])):
        time_passes(seconds)
        recovery.expire_stale_entries()
        recovery.resume_waiting()
        assert house.orders_there() == sent
    assert tally(legs(done))["placed"] == 3


def test_a_leg_whose_time_has_long_gone_is_withdrawn(make_house: Callable[..., House]) -> None:
    house = make_house(2)
    done = house.execute(replace(BUY, stagger_seconds=30))
    time_passes(100)
    recovery.expire_stale_entries()
    assert [(leg.status, leg.reason_code) for leg in legs(done)] == [
        ("placed", ""), ("rejected", "too_old_to_send")
    ]  # fmt: skip
    assert house.orders_there() == [1, 0]


def test_a_switch_stops_the_legs_that_still_wait(make_house: Callable[..., House]) -> None:
    house = make_house(2)
    done = house.execute(replace(BUY, stagger_seconds=30))
    engage(principal=house.principal, scope="organisation", reason="test")
    time_passes(31)
    recovery.resume_waiting()
    assert [leg.reason_code for leg in legs(done)] == ["", "denied_kill_switch"]
    assert house.orders_there() == [1, 0]


@pytest.mark.parametrize(
    ("price", "code"), [("50500", ""), ("50501", "denied_slippage"), ("49000", "")]
)
def test_a_leg_that_the_price_has_left_is_refused(
    make_house: Callable[..., House], price: str, code: str
) -> None:
    house = make_house(2)
    done = house.execute(replace(BUY, stagger_seconds=30, max_slippage=Decimal(1)))
    Order.objects.update(reference_price=Decimal(50000))
    house.exchange.price(SYMBOL, price)
    time_passes(31)
    recovery.resume_waiting()
    assert [leg.reason_code for leg in legs(done)] == ["", code]
    assert house.orders_there() == [1, 0 if code else 1]


def test_a_limited_leg_waits_while_its_venue_tells_no_price(
    make_house: Callable[..., House], settings: Any
) -> None:
    house = make_house(2)
    done = house.execute(replace(BUY, stagger_seconds=30, max_slippage=Decimal(1)))
    time_passes(31)
    settings.EXCHANGE_VENUES = {}
    recovery.resume_waiting()
    assert tally(legs(done))["pending"] == 1
    assert house.orders_there() == [1, 0]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"stagger_seconds": 61}, "stagger_seconds"),
        ({"stagger_seconds": -1}, "stagger_seconds"),
        ({"max_slippage": Decimal(0)}, "max_slippage"),
        ({"max_slippage": Decimal(101)}, "max_slippage"),
        ({"min_success": 3}, "min_success"),
        ({"min_success": 0}, "min_success"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    make_house: Callable[..., House], fields: dict[str, Any], name: str
) -> None:
    house = make_house(2)
    with pytest.raises(Invalid) as refused:
        house.execute(replace(BUY, **fields))
    assert list(refused.value.fields) == [name]
    assert not Command.objects.exists()


def test_too_few_placed_legs_are_reported_once_and_nothing_is_undone(
    make_house: Callable[..., House],
) -> None:
    house = make_house(3)
    Account.objects.filter(pk=house.accounts[2].pk).update(status="disabled")
    done = house.execute(replace(BUY, min_success=3, stagger_seconds=30))
    judge_executions()
    judge_executions()
    alert = Alert.objects.get(code=BELOW)
    assert (alert.count, alert.severity, alert.state) == (1, "critical", "active")
    assert Event.objects.filter(kind="execution.below_minimum").count() == 1
    assert tally(legs(done)) == {
        "placed": 1, "unchanged": 0, "skipped": 0, "rejected": 1, "unknown": 0, "pending": 1
    }  # fmt: skip
    Account.objects.update(status="active")
    assert house.retry(done) == 1
    time_passes(31)
    recovery.resume_waiting()
    judge_executions()
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_an_unknown_leg_leaves_the_minimum_open(make_house: Callable[..., House]) -> None:
    house = make_house(2)
    done = house.execute(replace(BUY, min_success=2))
    order = Order.objects.order_by("pk")[0]
    Order.objects.filter(pk=order.pk).update(state="UNKNOWN", next_attempt_at=now())
    judge_executions()
    done.refresh_from_db()
    assert done.judged_at is None
    assert not Alert.objects.filter(code=BELOW).exists()
