"""The threads that keep a process's lanes: one renews the leases, one sweeps what stands in them,
one watches over protected positions, one makes the clients for lanes that were taken over, and one
keeps the venues' dead man's switches from going off.

The first two need the database only: a process whose broker is gone still finds its orders every
second.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, close_old_connections, connections

from trading.services import lanes, warm
from trading.services.dead_man import DeadMan
from trading.tasks import sweep_once, watch_once

logger = logging.getLogger(__name__)
STOP_SECONDS = 70.0


class LaneLife:
    """Renews, sweeps and lets a Celery consumer follow the lanes, from start to stop."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._dead_man = DeadMan()

    def start(self, consumer: Any = None, *, alone: bool = False) -> None:
        """Take lanes and keep them; ``consumer`` takes the wake-ups of exactly these lanes.

        ``alone`` says that no other process can hold any. Raises DatabaseError.
        """
        self._stopping.clear()
        if alone:
            lanes.here.seize()
        self._dead_man = DeadMan()
        self._threads = [
            self._thread("lane-leases", lambda: self._renew(consumer)),
            self._thread("lane-sweep", sweep_once),
            self._thread("lane-watch", watch_once),
            self._thread("lane-dead-man", self._dead_man.beat),
            self._thread("lane-warmth", lambda: warm.here.follow(lanes.owned())),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the dead man's switches while the lanes are held, since nobody has died; give the
        lanes up once the sweep has ended. Safe without a start.
        """
        self._stopping.set()
        if self._threads:
            self._stand_down()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        if self._threads:
            try:
                lanes.here.release()
            except DatabaseError:
                logger.warning("the lanes were not given up; their leases run out by themselves")
        self._threads = []

    def _stand_down(self) -> None:
        try:
            self._dead_man.stand_down()
        except DatabaseError:
            logger.exception("the dead man's switches were not stopped")

    def _thread(self, name: str, work: Callable[[], Any]) -> threading.Thread:
        return threading.Thread(target=self._repeat, args=[work], name=name, daemon=True)

    def _repeat(self, work: Callable[[], Any]) -> None:
        """Do the work every second; a failure is logged, the next second tries again."""
        while not self._stopping.is_set():
            close_old_connections()
            try:
                work()
            except Exception:  # the outer loop of the thread
                logger.exception("%s failed", threading.current_thread().name)
            close_old_connections()
            self._stopping.wait(lanes.RENEW_SECONDS)
        connections.close_all()

    def _renew(self, consumer: Any) -> None:
        held = lanes.here.renew()
        if consumer is not None:
            consumer.call_soon(follow_lanes, consumer, held)


def follow_lanes(consumer: Any, held: frozenset[int]) -> None:
    """Let the consumer take messages of exactly these lanes; runs on the consumer's own thread."""
    wanted = {lanes.queue_of(lane) for lane in held}
    taken = {name for name in consumer.app.amqp.queues.consume_from if lanes.is_queue(name)}
    for name in sorted(taken - wanted):
        consumer.cancel_task_queue(name)
    for name in sorted(wanted):
        if not consumer.task_consumer.consuming_from(name):
            consumer.add_task_queue(name)
