"""In flight and after the ack, at each kind of venue: ids unique for ever with a window, ids unique
among open orders without one, no ids at all. One order there, one request, tied to its row.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from exchanges import quirks
from tests.processes.proof import wire_requests
from tests.trading.conftest import Desk
from tests.trading.crashes import recover
from tests.trading.test_claiming import queue
from tests.trading.test_recovery_guards import Patch, die_at, lose_the_answer
from tests.trading.test_signal_to_ledger import send
from tests.trading.test_unclear_answers import look_now
from trading import states
from trading.models import Deal, Order, Position

# What the exchange does with client ids, and what the platform believes of such a venue.
VENUES: dict[str, dict[str, Any]] = {
    "normal": {},
    "no_window": {"request_window_ms": None},
    "none": {"has_client_id": False},
}


@pytest.fixture(params=VENUES)
def desk(
    make_desk: Callable[..., Desk],
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    request: pytest.FixtureRequest,
) -> Desk:
    """One account at an exchange of each kind."""
    settings.EXCHANGE_TIMEOUT_MS = 700
    believed = replace(quirks.QUIRKS["binance"], **VENUES[request.param])
    monkeypatch.setitem(quirks.QUIRKS, "binance", believed)
    made = make_desk(1)
    body = {"api_key": made.keys[0], "client_ids": request.param}
    made.exchange.call("POST", "/_account", body)
    return made


def hang(desk: Desk, patch: Patch) -> None:
    """The exchange accepts and keeps silent; the sender gives up waiting."""
    desk.exchange.fault("hang_after", seconds=2)
    send(desk)
    desk.run_orders()


def accept_late(desk: Desk, patch: Patch) -> None:
    """The request is still under way when recovery asks for the first time."""
    desk.exchange.fault("late_accept", ms=3_600_000)
    send(desk)
    desk.run_orders()
    order = Order.objects.get()
    assert look_now(order).state == states.UNKNOWN
    desk.exchange.let_arrive()


CRASHES: dict[str, Callable[[Desk, Patch], None]] = {
    "in_flight": hang,
    "accepted_late": accept_late,
    "connection_lost": lose_the_answer,
    "after_ack": partial(die_at, "before_persist"),
    "after_open_commit": partial(die_at, "after_open_commit"),
}


@pytest.mark.parametrize("crash", CRASHES)
def test_an_order_in_flight_or_acknowledged_is_found_and_booked_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    with monkeypatch.context() as patch:
        CRASHES[crash](desk, patch)
    order = recover(desk)
    held = desk.exchange.orders(desk.keys[0])
    assert [str(each["orderId"]) for each in held] == [order.exchange_order_id]
    assert (order.state, order.filled_quantity) == (states.FILLED, Decimal("0.004"))
    assert sum(wire_requests(desk).values()) == 1
    assert Deal.objects.get().order_id == order.pk
    position = Position.objects.get()
    assert position.allocated
    assert position.quantity == desk.exchange.held(desk.keys[0], "BTC")


@pytest.mark.parametrize("point", ["rst_before", "http_502_before"])
def test_what_never_reached_the_exchange_is_called_absent_and_not_sent_again(
    desk: Desk, point: str
) -> None:
    desk.exchange.fault(point)
    queue(desk, 1)
    desk.run_orders()
    assert Order.objects.get().state == states.UNKNOWN
    order = recover(desk)
    assert order.state == states.NOT_PLACED
    assert desk.exchange.orders(desk.keys[0]) == []
    assert sum(wire_requests(desk).values()) == 1
