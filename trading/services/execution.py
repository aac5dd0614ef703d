"""Sending orders: claim, send, write back. One task per batch, one wire attempt per order row.

Sending happens on the gateway's loop; answers are written back in batches by the claiming thread
while later ones are still under way.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from queue import Empty, SimpleQueue

from django.db import transaction

from common.crash import crash_point
from exchanges.gateway import Sending, gateway
from exchanges.outcomes import VenueError
from exchanges.protocol import VenueOrder
from trading.models import Order

from . import lanes
from .blind import take_snapshot
from .claims import Claim, claim_orders
from .fills import hold_streams
from .settlement import settle_all
from .transitions import Moves
from .venue_access import account_ref, order_request

logger = logging.getLogger(__name__)

Result = tuple[int, VenueOrder | VenueError]
RESULT_PATIENCE_SECONDS = 60.0
# An answer waits this long for the next one before it is written, and never longer than the second.
LINGER_SECONDS = 0.005
LONGEST_LINGER_SECONDS = 0.05
# So many are claimed together at most, unless one message names more.
MOST_AT_ONCE = 200


def run(order_ids: Sequence[int]) -> int:
    """Send those of the orders that are still waiting; returns how many were claimed.

    Only those in lanes that this process holds. Safe to call twice, at the same time, in several
    processes: each order has one claimant.
    """
    return _run(lambda: order_ids)


def run_with_others(order_ids: Sequence[int]) -> int:
    """As :func:`run`, together with what others want sent who wait for their turn meanwhile: one
    claim costs little more than the claim of one order. Returns how many this call claimed.
    """
    _told.add(order_ids)
    return _run(lambda: _told.take(max(len(order_ids), MOST_AT_ONCE)))


class Told:
    """Orders that this process was told of and has not tried to claim yet; for any thread.

    Who adds takes afterwards, at least as many as it added where there are so many: nothing stays
    behind. What is taken and then not claimed, for a fault of the database, is left to the sweep.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._ids: deque[int] = deque()

    def add(self, order_ids: Iterable[int]) -> None:
        """Note orders that somebody wants sent."""
        with self._guard:
            self._ids.extend(order_ids)

    def take(self, most: int) -> list[int]:
        """The oldest, at most so many, each once."""
        with self._guard:
            count = min(len(self._ids), most)
            return list(dict.fromkeys(self._ids.popleft() for _ in range(count)))


_told = Told()


def _run(ids_of: Callable[[], Sequence[int]]) -> int:
    """Claim the orders and hand them to the loop in one turn, so that no later batch comes between;
    then write their answers back.
    """
    lanes.here.keep()
    results: SimpleQueue[Result] = SimpleQueue()
    with ExitStack() as work:
        with lanes.here.turn:
            order_ids = ids_of()
            work.enter_context(lanes.here.at_work(_lanes_of(order_ids)))
            count = _claim_and_submit(order_ids, results)
        _write_all_back(results, count)
    return count


def _lanes_of(order_ids: Sequence[int]) -> frozenset[int]:
    """The lanes that these orders belong to."""
    rows = Order.objects.filter(pk__in=order_ids).order_by()
    return frozenset(map(lanes.lane_of, rows.values_list("account_id", flat=True)))


def _claim_and_submit(order_ids: Sequence[int], results: "SimpleQueue[Result]") -> int:
    """Claim the orders and hand them to the loop; returns how many were claimed."""
    if not order_ids:
        return 0
    claim = claim_orders(order_ids)
    crash_point("after_claim")
    sendings = [_sending(order, claim) for order in claim.orders]
    if sendings:
        gateway().submit(gateway().send_all(sendings, partial(_put, results)))
    return len(sendings)


def _put(results: "SimpleQueue[Result]", key: int, result: VenueOrder | VenueError) -> None:
    results.put((key, result))


def _write_all_back(results: "SimpleQueue[Result]", waiting: int) -> None:
    """Write answers back until there is one for each of so many orders."""
    while waiting:
        batch = _next_batch(results, waiting)
        if not batch:
            logger.error("%s orders without an answer; recovery takes over", waiting)
            break
        crash_point("before_persist")
        write_back(batch)
        waiting -= len(batch)


def _next_batch(results: "SimpleQueue[Result]", waiting: int) -> list[Result]:
    """Waits for the first answer, and then for those that follow closely: at most ``waiting``.

    Few large batches cost less than many small ones, and meanwhile the loop has the processor.
    """
    batch: list[Result] = []
    with suppress(Empty):
        batch.append(results.get(timeout=RESULT_PATIENCE_SECONDS))
        write_at = time.monotonic() + LONGEST_LINGER_SECONDS
        while len(batch) < waiting and time.monotonic() < write_at:
            batch.append(results.get(timeout=LINGER_SECONDS))
    return batch


def _sending(order: Order, claim: Claim) -> Sending:
    stands_aside = order.reduce_only and not order.is_protective
    return Sending(
        key=order.pk,
        account=account_ref(order.seat),
        request=order_request(order),
        deadline=claim.deadline,
        leverage=order.leverage,
        cancels_first=claim.exits.in_the_way(order) if stands_aside else (),
        before_wire=partial(take_snapshot, order.pk, claim.token, order.symbol)
        if order.is_blind
        else None,
    )


def write_back(batch: Iterable[Result]) -> None:
    """Apply answers to their orders in one transaction, or one by one when that fails.

    An order whose answer cannot be written stays SENDING and recovery asks the exchange: nothing
    depends on this.
    """
    results = dict(batch)
    try:
        _settle_all(results)
    except Exception:  # the outer loop of the write-back: one bad answer must not take the others
        logger.exception("answers to %s orders not written together", len(results))
        for key, result in results.items():
            _settle_alone(key, result)
    crash_point("after_open_commit")


@transaction.atomic
def _settle_all(results: dict[int, VenueOrder | VenueError]) -> None:
    moves = Moves()
    hold_streams(Order.objects.filter(pk__in=results).values_list("account_id", "symbol"))
    rows = Order.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    orders = rows.filter(pk__in=results).order_by("pk")
    settle_all([(order, results[order.pk]) for order in orders], moves, cause="answer")
    moves.flush()


def _settle_alone(key: int, result: VenueOrder | VenueError) -> None:
    try:
        _settle_all({key: result})
    except Exception:  # as above
        logger.exception("answer to order %s not written; recovery takes over", key)
