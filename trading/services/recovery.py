"""The sweep: finds orders whose wake-up was lost, whose sender died or whose outcome is unknown.

It never sends an order again. An unknown order is looked up at the exchange; absence is concluded
only after the request can no longer be accepted, with several not-found answers and a look at open
orders and trades.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from queue import Empty, SimpleQueue

from django.db import DatabaseError, transaction
from django.db.models import F, Q

from common.clock import now, to_ms
from common.errors import DomainError
from exchanges.gateway import gateway, gathered
from exchanges.outcomes import VenueError
from exchanges.protocol import VenueOrder, VenueTrade
from trading import states
from trading.matching import After
from trading.models import Order
from trading.models.orders import OrderQuerySet, OrderType

from . import blind, execution, lanes
from .cancelling import pursue_due
from .fills import hold_streams
from .lanes import EVERYWHERE, Condition
from .minimum import judge_executions
from .replacing import pursue_changes
from .settlement import last_acceptance, quirks_of_account, settle_found, suspend_moved
from .slippage import with_known_slippage
from .transitions import Moves
from .venue_access import account_ref

logger = logging.getLogger(__name__)

LOST_WAKE_UP_AFTER = timedelta(seconds=1)
LEASE_GRACE = timedelta(seconds=1)
LOOK_AGAIN_AFTER = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(seconds=60)
# The questions of a process that died are another's after so long.
LOOK_LEASE = timedelta(seconds=10)
STALE_ENTRY_AFTER = timedelta(seconds=60)
NOT_FOUND_ANSWERS = 3
BATCH = 100
LOOKS_TIMEOUT = 60.0
CLOCK_OVERLAP_MS = 60_000

Look = VenueOrder | VenueTrade | After | None


def sweep() -> None:
    """One pass over the lanes this process holds; run every second by every worker, harmless when
    several run at once.

    A stage that fails is logged and does not keep the others from their work.
    """
    try:
        held = lanes.here.keep()
    except DatabaseError:
        logger.exception("the lanes could not be renewed; the sweep comes again")
        return
    if not held:
        return
    mine = lanes.within(held)
    for stage in (
        resume_waiting,
        expire_stale_entries,
        mark_abandoned,
        pursue_due,
        pursue_changes,
        resolve_unknown,
        judge_executions,
    ):
        try:
            stage(mine)
        except Exception:  # the outer loop of the sweep
            logger.exception("stage %s of the sweep failed; it comes again", stage.__name__)


def resume_waiting(mine: Condition = EVERYWHERE) -> None:
    """Send created orders that nobody was told about, or whose time has come again."""
    ids = list(
        Order.objects.due_to_send()
        .filter(mine, created_at__lt=now() - LOST_WAKE_UP_AFTER)
        .order_by("pk")
        .values_list("pk", flat=True)[:BATCH]
    )
    if ids := with_known_slippage(ids):
        execution.run_with_others(ids)


def _unlocked() -> OrderQuerySet:
    """Orders that nobody is writing now, locked. Who holds an order's lock settles it, and waiting
    for several of them one after the other could wait crosswise with an import.
    """
    return Order.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)


@transaction.atomic
def expire_stale_entries(mine: Condition = EVERYWHERE) -> None:
    """Withdraw market entries that waited too long after their time: the market they were meant for
    has gone.

    A limit order carries its own price and may wait.
    """
    moves = Moves()
    latest = now() - STALE_ENTRY_AFTER
    stale = (
        _unlocked()
        .filter(
            mine,
            state=states.CREATED,
            type=OrderType.MARKET,
            reduce_only=False,
        )
        .filter(Q(not_before=None, created_at__lt=latest) | Q(not_before__lt=latest))
    )
    for order in stale.order_by("pk")[:BATCH]:
        moves.move(order, states.WITHDRAWN, cause="sweep", error_code="too_old_to_send")
    moves.flush()


@transaction.atomic
def mark_abandoned(mine: Condition = EVERYWHERE) -> None:
    """Orders whose claimant went silent become UNKNOWN."""
    moves = Moves()
    abandoned = (
        _unlocked()
        .filter(mine, state=states.SENDING, send_deadline__lt=now() - LEASE_GRACE)
        .select_related("account")
    )
    for order in abandoned.order_by("pk")[:BATCH]:
        moves.move(order, states.UNKNOWN, cause="lease_expired", next_attempt_at=now())
    moves.flush()


def resolve_unknown(mine: Condition = EVERYWHERE) -> None:
    """Ask the exchanges about unknown orders that are due, all at once, and apply each word as it
    comes: what one exchange has said is not lost with a process that waits for another.
    """
    due = {order.pk: order for order in _claim_looks(mine)}
    if not due:
        return
    looks: SimpleQueue[tuple[int, Look | BaseException]] = SimpleQueue()
    gateway().submit(_look_at_all(list(due.values()), lambda pk, look: looks.put((pk, look))))
    give_up_at = time.monotonic() + LOOKS_TIMEOUT
    while due:
        try:
            pk, look = looks.get(timeout=max(give_up_at - time.monotonic(), 0.001))
        except Empty:
            logger.error("%s looks without an answer; they will be repeated", len(due))
            for order in due.values():
                _put_off(order, _pause(order))
            return
        order = due.pop(pk)
        if isinstance(look, BaseException):
            _note_failed_look(order, look)
        else:
            _conclude_alone(order, look)


def _claim_looks(mine: Condition) -> list[Order]:
    """The unknown orders to ask about now; pushing their time on makes the look single."""
    moment = now()
    due = Order.objects.filter(mine, state=states.UNKNOWN, next_attempt_at__lte=moment).order_by(
        "next_attempt_at"
    )
    claimed = []
    for order in due.select_related("account")[:BATCH]:
        taken = Order.objects.filter(
            pk=order.pk, state=states.UNKNOWN, next_attempt_at=order.next_attempt_at
        ).update(next_attempt_at=moment + LOOK_LEASE)
        if taken:
            claimed.append(order)
    return claimed


def _pause(order: Order) -> timedelta:
    """How long until the next look after one that failed: longer the older the question is, so that
    a dead venue's orders do not crowd out the others'.
    """
    age = now() - (order.send_deadline or order.created_at)
    return min(max(age / 8, LOOK_AGAIN_AFTER), LONGEST_PAUSE)


def _put_off(order: Order, pause: timedelta) -> None:
    rows = Order.objects.filter(pk=order.pk, state=states.UNKNOWN)
    rows.update(next_attempt_at=now() + pause)


async def _look_at_all(
    orders: Sequence[Order], tell: Callable[[int, Look | BaseException], None]
) -> None:
    async def look_at(order: Order) -> None:
        try:
            look = await _look(order)
        except Exception as error:  # told to the thread that judges it
            tell(order.pk, error)
        else:
            tell(order.pk, look)

    await gathered(look_at(order) for order in orders)


async def _look(order: Order) -> Look:
    """The order at the exchange; before it is concluded that it has none, also a scan of orders and
    trades. A scan costs several times a question, and after an outage hundreds of orders wait.
    """
    if order.is_blind and not order.exchange_order_id:
        return await blind.look(order)
    client = await gateway().client(account_ref(order.seat))
    found = await client.find_order(order.symbol, order.client_order_id, order.exchange_order_id)
    is_last = order.not_found_count + 1 >= NOT_FOUND_ANSWERS
    is_over = now() >= last_acceptance(order, quirks_of_account(order.account))
    if found is not None or not (is_last and is_over):
        return found
    for candidate in await client.open_orders(order.symbol):
        if candidate.client_order_id == order.client_order_id:
            return candidate
    since = to_ms(order.created_at) - CLOCK_OVERLAP_MS
    for trade in await client.trades(order.symbol, since):
        if trade.client_order_id and trade.client_order_id == order.client_order_id:
            return trade
    return None


def _note_failed_look(order: Order, error: BaseException) -> None:
    """A look that failed proves nothing and is repeated."""
    _put_off(order, _pause(order))
    if not isinstance(error, (VenueError, DomainError)):
        logger.error("look for order %s failed", order.pk, exc_info=error)
        return
    logger.info("look for order %s failed: %s", order.pk, error.code)
    suspend_moved(order.account, error)


def _conclude_alone(seen: Order, look: Look) -> None:
    """Apply one look; where it cannot be written, the next one tries again and others go on."""
    try:
        _conclude(seen, look)
    except Exception:  # the outer loop of the looks
        logger.exception("look for order %s not written; it will be repeated", seen.pk)


@transaction.atomic
def _conclude(seen: Order, look: Look) -> None:
    hold_streams([(seen.account_id, seen.symbol)])
    rows = Order.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    order = rows.filter(pk=seen.pk).first()
    if order is None or order.state != states.UNKNOWN:
        return
    moves = Moves()
    if isinstance(look, VenueOrder):
        settle_found(order, look, moves, cause="recovery")
    elif isinstance(look, After):
        blind.conclude(order, look, moves)
        _put_off(order, _pause(order))
    elif look is None:
        _count_absence(order, moves)
    moves.flush()


def _count_absence(order: Order, moves: Moves) -> None:
    """One more not-found answer; enough of them after the window prove that nothing was placed.

    A venue that answers is asked again soon, however old the question has become meanwhile.
    """
    _put_off(order, LOOK_AGAIN_AFTER)
    if now() < last_acceptance(order, quirks_of_account(order.account)):
        return
    order.not_found_count += 1
    Order.objects.filter(pk=order.pk).update(not_found_count=F("not_found_count") + 1)
    if order.not_found_count >= NOT_FOUND_ANSWERS:
        moves.move(
            order,
            states.NOT_PLACED,
            cause="recovery",
            details={"not_found_answers": order.not_found_count},
            error_code=order.error_code or "not_placed",
        )
