"""PostgreSQL ends every session while requests are under way; Redis comes back empty: each order
at the exchange once, booked once.
"""

import time
from collections.abc import Callable
from threading import Thread

import pytest
import redis
from django.conf import settings
from django.db import connection

from tests.processes.harness import Platform
from tests.processes.proof import (
    await_settled,
    check_positions,
    placed_at_exchange,
    prove,
    wire_requests,
)
from tests.processes.test_nothing_lost import suffer
from tests.trading.conftest import Desk
from tests.waiting import wait_until
from trading import states
from trading.models import Order

pytestmark = [pytest.mark.distributed, pytest.mark.slow]

# The database is away when the senders, who have had no answer, want to write that down.
GIVES_UP_AFTER_SECONDS = 4.0
OUTAGE_SECONDS = 5.0
END_SESSIONS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def end_sessions(seconds: float) -> int:
    """End every other session of the database, again and again; returns how many."""
    ended, give_up_at = 0, time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        with connection.cursor() as cursor:
            cursor.execute(END_SESSIONS)
            ended += int(cursor.fetchone()[0])
        time.sleep(0.1)
    # This process's own idle connections have been ended with the others.
    connection.close()
    connection.close_pool()
    return ended


def test_a_database_that_goes_away_in_mid_send_loses_and_doubles_nothing(
    platform: Platform, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(3, name="database")
    platform.environment["EXCHANGE_TIMEOUT_MS"] = str(round(GIVES_UP_AFTER_SECONDS * 1000))
    for key in desk.keys:
        suffer(desk.exchange, key, "hang_after", seconds=2 * GIVES_UP_AFTER_SECONDS)
    platform.start()
    sender = Thread(target=platform.deliver, args=[desk])
    sender.start()
    wait_until(lambda: placed_at_exchange(desk) == 3, "three orders accepted")
    assert set(Order.objects.values_list("state", flat=True)) == {states.SENDING}
    assert end_sessions(OUTAGE_SECONDS) > 0
    sender.join()
    assert platform.deliver(desk).data["duplicate"] is True
    await_settled()
    assert prove(desk) == 3
    assert list(wire_requests(desk).values()) == [1] * 3
    check_positions()


def test_a_redis_that_comes_back_empty_loses_no_order(
    platform: Platform, make_desk: Callable[..., Desk]
) -> None:
    """The alert is taken and its wake-ups wait in Redis when everything in there is lost."""
    desk = make_desk(3, name="redis")
    platform.start("web")
    assert platform.deliver(desk).data["pending"] is True
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        assert broker.dbsize() > 0
        broker.flushdb()
    platform.start()
    await_settled()
    assert prove(desk) == 3
    assert list(wire_requests(desk).values()) == [1] * 3
    check_positions()
