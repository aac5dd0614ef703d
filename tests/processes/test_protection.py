"""A process that dies while it places a bracket leaves it to the next one: one stop, no more."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.processes.harness import Platform
from tests.processes.proof import check_positions, wire_requests
from tests.trading.conftest import Desk
from tests.waiting import wait_until
from trading.models import Order, Position

pytestmark = pytest.mark.slow


def enter(platform: Platform, desk: Desk) -> int:
    """Send an entry with a bracket; returns the number of its order."""
    payload = {
        "symbol": "BTC/USDT", "side": "buy", "order_type": "market", "qty": "0.01",
        "stop_loss": "49000", "take_profit": "52000",
    }  # fmt: skip
    answer = platform.client.post(
        f"{platform.url}/position/commands",
        headers={"x-api-key": platform.api_key},
        json={
            "command": "send_order", "account_id": desk.accounts[0].pk, "request_id": "bracket",
            "payload": payload,
        },
    )  # fmt: skip
    assert answer.status_code == httpx.codes.OK, answer.text
    result: dict[str, Any] = answer.json()["results"][0]
    assert result["ok"], result
    return int(result["order_id"])


def is_protected() -> bool:
    """Whether the one position says so."""
    return list(Position.objects.values_list("protection", flat=True)) == ["protected"]


@pytest.mark.parametrize("point", ["after_claim", "before_send", "after_ack"])
def test_a_stop_whose_sender_dies_comes_to_stand_once(
    platform: Platform, make_desk: Callable[..., Desk], point: str
) -> None:
    desk = make_desk(1)
    platform.start(crash_at=f"{point}:2")
    enter(platform, desk)
    platform.await_death(platform.sender, point)
    platform.start(platform.sender)
    wait_until(is_protected, "the position is protected")
    held = [each for each in desk.exchange.orders(desk.keys[0]) if each["status"] == "NEW"]
    assert [each["type"] for each in held] == ["STOP_LOSS"]
    assert set(wire_requests(desk).values()) == {1}
    desk.exchange.price("BTC/USDT", "52500")
    wait_until(lambda: Position.objects.filter(state="closed").exists(), "the target was reached")
    wait_until(lambda: not Order.objects.live().exists(), "the stop has gone")
    assert set(wire_requests(desk).values()) == {1}
    check_positions()
