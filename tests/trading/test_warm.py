"""A process makes clients for the accounts of its own lanes, and of lanes that it takes over."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from exchanges import gateway
from tests.trading.conftest import Desk
from tests.trading.test_lanes import die
from tests.waiting import wait_until
from trading.services import lanes, warm
from trading.services.lanes import Lanes
from trading.services.warm import Warmth
from tradingplatform.lane_life import LaneLife

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cold(make_desk: Callable[..., Desk], settings: Any) -> Desk:
    """Four accounts in lanes of their own; this process has no client for any of them."""
    settings.EXECUTION_LANES = 4
    desk = make_desk(4)
    gateway.shutdown()
    return desk


@pytest.fixture
def life() -> Iterator[LaneLife]:
    """The threads of this process's lanes, stopped in the end."""
    running = LaneLife()
    yield running
    running.stop()


def warm_lanes() -> list[int]:
    """The lanes of the accounts that this process has a client for."""
    return sorted(lanes.lane_of(account) for account, *_ in gateway.gateway()._clients)


def test_only_the_accounts_of_the_lanes_held_are_warmed(cold: Desk) -> None:
    warmth = Warmth()
    assert (warmth.follow(frozenset()), warm_lanes()) == (0, [])
    assert (warmth.follow(frozenset({1, 3})), warm_lanes()) == (2, [1, 3])


def test_a_lane_taken_over_later_is_warmed_then_and_nothing_twice(cold: Desk) -> None:
    warmth = Warmth()
    assert warmth.follow(frozenset({1})) == 1
    assert (warmth.follow(frozenset({1, 2})), warm_lanes()) == (1, [1, 2])
    assert warmth.follow(frozenset({1, 2})) == 0
    assert warmth.follow(frozenset({2})) == 0
    assert warmth.follow(frozenset({1, 2})) == 1


def test_a_process_that_inherits_a_dead_ones_lanes_has_clients_for_their_accounts(
    cold: Desk, life: LaneLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "here", Warmth())
    other = Lanes("other")
    for each in (other, lanes.here, other, lanes.here):
        each.renew()
    own = sorted(lanes.owned())
    assert len(own) == 2
    life.start()
    wait_until(lambda: warm_lanes() == own, "the accounts of its own lanes are warm")
    die(other)
    wait_until(lambda: warm_lanes() == [0, 1, 2, 3], "the inherited accounts are warm too")
