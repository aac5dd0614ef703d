"""Two organisations full of rows, and everybody who could ask for them."""

from collections.abc import Iterator
from typing import Any

import pytest

from exchanges import gateway
from tests.authorisation.callers import Caller, all_callers
from tests.authorisation.worlds import start_numbers_high, whole_world
from tests.dashboard.world import World


@pytest.fixture(autouse=True)
def _nobody_is_waited_for(settings: Any) -> Iterator[None]:
    """No answer waits for legs, and the venue is where nobody listens."""
    settings.WEBHOOK_WAIT_SECONDS = 0
    settings.ORDER_WAIT_SECONDS = 0
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}
    yield
    gateway.shutdown()


@pytest.fixture
def world(db: None) -> World:
    """The organisation whose rows are asked for."""
    start_numbers_high()
    return whole_world("Acme")


@pytest.fixture
def other(db: None) -> World:
    """Another organisation."""
    return whole_world("Other")


@pytest.fixture
def callers(world: World, other: World) -> dict[str, Caller]:
    """The columns of the matrix by name."""
    return {each.name: each for each in all_callers(world, other)}
