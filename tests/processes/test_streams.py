"""Two workers share the streams of an organisation: each account has one, also after a kill."""

from collections.abc import Callable

import pytest

from accounts.models import StreamStatus
from tests.processes.harness import WORKER, Platform
from tests.trading.conftest import Desk
from tests.waiting import wait_until
from trading.models import LaneLease
from trading.services.lanes import lane_of


def sockets(desk: Desk) -> dict[str, int]:
    """How many subscribed user streams each of the desk's keys has at the exchange."""
    counts = desk.exchange.call("GET", "/_stream")["streams"]
    return {key: counts.get(key, 0) for key in desk.keys}


def holder(desk: Desk, platform: Platform) -> str:
    """The worker that holds the lane, and so the stream, of the desk's first account."""
    owner = LaneLease.objects.get(lane=lane_of(desk.accounts[0].pk)).owner
    number = int(owner.split(":")[1])
    return next(role for role, process in platform.running.items() if process.pid == number)


@pytest.mark.distributed
def test_each_account_has_one_stream_and_a_dead_workers_move(
    make_desk: Callable[..., Desk], platform: Platform
) -> None:
    desk = make_desk(4)
    platform.start(WORKER, "worker2")
    live = StreamStatus.objects.healthy()
    wait_until(lambda: LaneLease.objects.values("owner").distinct().count() == 2, "two holders")
    once = dict.fromkeys(desk.keys, 1)
    wait_until(lambda: live.count() == 4 and sockets(desk) == once, "one stream each")
    platform.kill(holder(desk, platform))
    wait_until(lambda: sockets(desk) != once, "streams of the dead worker gone")
    wait_until(lambda: sockets(desk) == once, "one stream each again")
