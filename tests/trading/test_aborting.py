"""A group's order that ends with its first rejected leg."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from accounts.models import Account
from tests.trading.test_fan_out import BUY, House, make_house
from tests.trading.test_staggered_legs import time_passes
from trading.models import Order
from trading.services import recovery
from trading.services.cancelling import cancel_order
from trading.services.legs import legs

__all__ = ["make_house"]

ENDS = replace(BUY, abort_on_first_reject=True)
IN_TURN = replace(ENDS, stagger_seconds=30)
ABORTED = ("rejected", "aborted_after_reject")
PLACED = ("placed", "")


def told(house: House, order: object) -> list[tuple[str, str]]:
    """Status and reason of each leg."""
    return [(leg.status, leg.reason_code) for leg in legs(order)]  # type: ignore[arg-type]


def next_turn() -> None:
    """Half a minute passes."""
    time_passes(31)
    recovery.resume_waiting()


@pytest.mark.parametrize("ends", [True, False])
def test_a_leg_refused_at_the_door_keeps_back_those_after_it(
    make_house: Callable[..., House], ends: bool
) -> None:
    house = make_house(4)
    Account.objects.filter(pk=house.accounts[1].pk).update(status="disabled")
    done = house.execute(replace(BUY, abort_on_first_reject=ends))
    refused = ("rejected", "denied_account_disabled")
    rest = [ABORTED] * 2 if ends else [PLACED] * 2
    assert told(house, done) == [PLACED, refused, *rest]
    assert house.orders_there() == ([1, 0, 0, 0] if ends else [1, 0, 1, 1])


def test_a_leg_that_the_exchange_refuses_keeps_back_those_that_wait(
    make_house: Callable[..., House],
) -> None:
    house = make_house(3)
    key = house.keys[1]
    house.exchange.call("POST", "/_account/revoke", {"api_key": key})
    done = house.execute(IN_TURN)
    next_turn()
    assert told(house, done) == [PLACED, ("rejected", "key_refused"), ("pending", "")]
    next_turn()
    assert told(house, done) == [PLACED, ("rejected", "key_refused"), ABORTED]
    assert house.orders_there()[2] == 0
    assert Order.objects.latest("pk").state == "WITHDRAWN"


def test_a_skipped_leg_and_one_that_a_person_called_back_end_nothing(
    make_house: Callable[..., House],
) -> None:
    house = make_house(4, {1: "40"})
    done = house.execute(IN_TURN)
    cancel_order(principal=house.principal, order=Order.objects.order_by("pk")[1])
    next_turn()
    next_turn()
    next_turn()
    assert [status for status, _ in told(house, done)] == [
        "placed", "skipped", "rejected", "placed"
    ]  # fmt: skip
    assert house.orders_there() == [1, 0, 0, 1]


def test_a_retry_tries_all_that_were_kept_back_and_ends_by_itself(
    make_house: Callable[..., House],
) -> None:
    house = make_house(3)
    Account.objects.filter(pk=house.accounts[0].pk).update(status="disabled")
    done = house.execute(ENDS)
    assert house.orders_there() == [0, 0, 0]
    Account.objects.update(status="active")
    Account.objects.filter(pk=house.accounts[1].pk).update(status="disabled")
    assert house.retry(done) == 3
    assert told(house, done) == [PLACED, ("rejected", "denied_account_disabled"), ABORTED]
    Account.objects.update(status="active")
    assert house.retry(done) == 2
    assert told(house, done) == [PLACED] * 3
    assert house.orders_there() == [1, 1, 1]
