"""Unclear answers and kill -9 at every point: one order at the exchange each, booked once."""

from collections.abc import Callable
from threading import Thread

import pytest

from tests.processes.harness import Platform
from tests.processes.proof import (
    await_settled,
    check_positions,
    placed_at_exchange,
    prove,
    wire_requests,
)
from tests.trading.conftest import Desk
from tests.trading.rehearsal import Exchange
from tests.waiting import wait_until
from trading.models import Order

pytestmark = pytest.mark.slow

# Fault, its parameters, how many orders the exchange holds in the end.
UNCLEAR = (
    ("hang_after", {"seconds": 4}, 1),
    ("http_502_after", {}, 1),
    ("cut_body_after", {}, 1),
    ("no_id_after", {}, 1),
    ("bad_json_after", {}, 1),
    ("rst_after", {}, 1),
    ("late_accept", {"ms": 4000}, 1),
    ("late_accept", {"ms": 3000, "answer": "http_502_before"}, 1),
    ("rst_before", {}, 0),
    ("http_502_before", {}, 0),
)
# Crash point of the sender and, of three orders in lanes of their own, the least and the most that
# can have got through.
# The first stands first: a recovery passes it, so it must not find one to do.
KILLED_SENDER = (
    ("fill_import", 1, 3),
    ("after_claim", 0, 2),
    ("before_send", 0, 2),
    ("after_ack", 1, 3),
    ("before_persist", 1, 3),
    ("after_open_commit", 1, 3),
)
KILLED_DOOR = ("after_command_commit", "before_command_commit")


def suffer(exchange: Exchange, key: str, kind: str, **params: object) -> None:
    """Let the next order of one account suffer a fault."""
    match = {"method": "POST", "path": "/api/v3/order", "api_key": key}
    exchange.call(
        "POST",
        "/_fault",
        {"script": [{"match": match, "kind": kind, "times": 1, "params": params}]},
    )


def test_every_unclear_answer_of_one_fan_out_is_cleared_up_without_a_second_order(
    platform: Platform, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(len(UNCLEAR) + 1, name="unclear")
    for key, (kind, params, _) in zip(desk.keys, UNCLEAR, strict=False):
        suffer(desk.exchange, key, kind, **params)
    platform.start()
    reply = platform.deliver(desk)
    assert reply.status == 200
    assert reply.data["pending"] is True
    await_settled()
    held = [len(desk.exchange.orders(key)) for key in desk.keys]
    assert held == [*(orders for _, _, orders in UNCLEAR), 1]
    assert prove(desk) == sum(held)
    assert set(wire_requests(desk).values()) == {1}
    told = platform.told(reply.data["correlation_id"])
    counts = (told["success_count"], told["error_count"], told["pending"])
    assert counts == (sum(held), len(held) - sum(held), False)
    check_positions()


def test_kill_9_at_every_point_loses_nothing_and_doubles_nothing(
    platform: Platform, make_desk: Callable[..., Desk]
) -> None:
    desks = {
        name: make_desk(3, name=name)
        for name in (*(name for name, _, _ in KILLED_SENDER), "in_flight", *KILLED_DOOR)
    }
    for name, _, _ in KILLED_SENDER:
        crash(platform, desks[name], name, platform.sender)
    kill_in_flight(platform, desks["in_flight"])
    for name in KILLED_DOOR:
        crash(platform, desks[name], name, platform.door)
    platform.start()
    replies = [platform.deliver(desk) for desk in desks.values()]
    assert [(reply.status, reply.data["duplicate"]) for reply in replies] == [(200, True)] * 9
    await_settled()
    for name, least, most in KILLED_SENDER:
        assert least <= prove(desks[name]) <= most, name
    assert prove(desks["in_flight"]) == 3
    assert [prove(desks[name]) for name in KILLED_DOOR] == [3, 3]
    for desk in desks.values():
        assert set(wire_requests(desk).values()) <= {1}
    check_positions()


def test_kill_9_in_mid_fold_in_flight_and_before_the_hint_loses_and_doubles_nothing(
    platform: Platform, make_desk: Callable[..., Desk]
) -> None:
    desks = {
        name: make_desk(3, name=name) for name in ("position_fold", "in_flight", "before_hint")
    }
    crash(platform, desks["position_fold"], "position_fold", platform.sender)
    crash(platform, desks["in_flight"], "in_flight", platform.sender)
    crash(platform, desks["before_hint"], "before_hint", platform.door)
    platform.start()
    for desk in desks.values():
        assert platform.deliver(desk).status == 200
    await_settled()
    assert 1 <= prove(desks["position_fold"]) <= 3
    assert 0 <= prove(desks["in_flight"]) <= 3
    assert prove(desks["before_hint"]) == 3
    for desk in desks.values():
        assert set(wire_requests(desk).values()) <= {1}
    check_positions()


def crash(platform: Platform, desk: Desk, point: str, role: str) -> None:
    """Start, deliver an alert, and wait until the process has killed itself at the point."""
    if role in platform.running:
        platform.kill(role)
    platform.start(crash_at=point, in_role=role)
    sender = Thread(target=platform.deliver, args=[desk])
    sender.start()
    platform.await_death(role, point)
    sender.join()


def kill_in_flight(platform: Platform, desk: Desk) -> None:
    """Kill the sender while the exchange has accepted the orders and keeps silent, and the sender
    has not given up waiting.

    Without private streams, which would tell the fills before the answers.
    """
    for key in desk.keys:
        suffer(desk.exchange, key, "hang_after", seconds=60)
    usual = platform.environment
    platform.environment = usual | {"STREAMS": "false", "EXCHANGE_TIMEOUT_MS": "60000"}
    platform.start()
    platform.environment = usual
    sender = Thread(target=platform.deliver, args=[desk])
    sender.start()
    wait_until(lambda: placed_at_exchange(desk) == 3, "three orders accepted")
    assert set(states_of(desk)) == {"SENDING"}
    platform.kill(platform.sender)
    sender.join()


def states_of(desk: Desk) -> list[str]:
    """The rows' states now."""
    return list(Order.objects.filter(account__in=desk.accounts).values_list("state", flat=True))
