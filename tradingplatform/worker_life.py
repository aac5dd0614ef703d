"""What a worker does before its first task and after its last; the same as a thread or a program.

Celery imports this module when a worker starts, after the apps are loaded.
"""

import gc
import logging
import threading
from typing import Any

from celery import signals
from django.db import DatabaseError, connections

from common.wake import workshop
from events.log import SEQUENCE
from events.tasks import sequence_and_consume
from exchanges import gateway
from trading.services import lanes, streaming, warm
from trading.services.reconcile import poll_due
from tradingplatform.lane_life import LaneLife

logger = logging.getLogger(__name__)
EXECUTION, EVENTS = "execution", "events"

lane_life = LaneLife()


@signals.worker_init.connect
def warm_up_gateway(**_: Any) -> None:
    """Open the exchange connections before the first task."""
    gateway.start()


@signals.worker_ready.connect
def begin_work(sender: Any, **_: Any) -> None:
    """Take lanes and hold streams if this worker sends orders; make clients and read balances while
    it takes its first tasks.
    """
    queues = sender.app.amqp.queues.consume_from
    sends = EXECUTION in queues
    if EVENTS in queues:
        workshop.open({SEQUENCE: sequence_and_consume})
    if sends:
        lane_life.start(sender)
        streaming.start()
    first_look(sends=sends).start()


def first_look(*, sends: bool = True) -> threading.Thread:
    """A thread that warms the clients of this process's lanes and polls the accounts that are due,
    so that the first signal finds fresh balances. A process that ``sends`` nothing has no lanes.
    """

    def work() -> None:
        try:
            if sends:
                warm.here.follow(lanes.here.keep())
            leave_alone_what_stays()
            poll_due()
        except DatabaseError:
            logger.exception("The first look at the accounts failed; the periodic one follows")
        finally:
            connections.close_all()

    return threading.Thread(target=work, name="first-look", daemon=True)


def leave_alone_what_stays() -> None:
    """Keep the garbage collector from walking through markets and modules again and again: every
    full collection would stop all threads for as long as a hundred orders take to send.
    """
    gc.collect()
    gc.freeze()


@signals.worker_shutdown.connect
def end_work(**_: Any) -> None:
    """Hang up the streams, give the lanes up and close the exchange connections once no task runs
    any more.
    """
    streaming.stop()
    lane_life.stop()
    workshop.close()
    gateway.shutdown()
