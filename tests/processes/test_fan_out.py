"""One alert to a hundred accounts, two worker processes, four deliveries at once."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes.harness import Platform, tasks_done
from tests.processes.proof import await_settled, check_positions, prove, wire_requests
from tests.trading.conftest import Desk
from tests.waiting import wait_until
from trading.models import Deal

pytestmark = [pytest.mark.distributed, pytest.mark.alone, pytest.mark.slow]

ACCOUNTS = 100
DELIVERIES = 4
LONGEST_ANSWER_SECONDS = 2.9


def test_one_alert_delivered_four_times_fills_a_hundred_accounts_once_each(
    platform: Platform, make_desk: Callable[..., Desk], capsys: pytest.CaptureFixture[str]
) -> None:
    desk = make_desk(ACCOUNTS, name="hundred")
    platform.start("web", "worker1", "worker2", "beat")
    began = time.monotonic()
    with ThreadPoolExecutor(DELIVERIES) as pool:
        deliveries = [pool.submit(platform.deliver, desk) for _ in range(DELIVERIES)]
        wait_until(lambda: Deal.objects.count() == ACCOUNTS, "a hundred deals")
        filled = time.monotonic() - began
        replies = [delivery.result() for delivery in deliveries]
    assert [reply.status for reply in replies] == [200] * DELIVERIES
    correlation_ids = {reply.data["correlation_id"] for reply in replies}
    assert len(correlation_ids) == 1
    assert sorted(reply.data["duplicate"] for reply in replies) == [False, True, True, True]
    await_settled()
    told = platform.told(correlation_ids.pop())
    assert (told["success_count"], told["error_count"], told["pending"]) == (ACCOUNTS, 0, False)
    assert prove(desk) == ACCOUNTS
    assert sorted(wire_requests(desk).values()) == [1] * ACCOUNTS
    check_positions()
    shares = tasks_done("trading.execute")
    assert sorted(shares) == ["worker1", "worker2"]
    answered = max(reply.seconds for reply in replies)
    with capsys.disabled():
        print(
            f"\n{ACCOUNTS} accounts: slowest of {DELIVERIES} answers {answered:.2f} s, "
            f"last fill booked {filled:.2f} s after the first request, tasks taken {shares}"
        )
    assert answered < LONGEST_ANSWER_SECONDS
