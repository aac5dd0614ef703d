"""The watch over protected positions: prices held against the legs that no venue holds, trailing
stops moved on, and every set proven again and again.

Run every second by each process for the lanes it holds; harmless when two do.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from django.db import DatabaseError, transaction

from accounts.models import Account
from common.clock import now
from common.errors import Invalid
from exchanges.venues import Venue
from marketdata.services import prices_now
from trading import states
from trading.brackets import Leg, has_notch, reached
from trading.models import Protection

from . import lanes
from .protecting import KINDS, Sight, converge, look, make_order, pause_after, withdraw
from .venue_access import venue_of

logger = logging.getLogger(__name__)

PROVEN_FOR = timedelta(seconds=10)
NOTED_EVERY = timedelta(seconds=5)
PRICE_MAX_AGE = timedelta(seconds=2)
IN_DOUBT = frozenset({states.SENDING, states.UNKNOWN, states.NEEDS_OPERATOR})
# Where a price comes from: venue, symbol, market type.
Source = tuple[Venue, str, str]


def watch() -> None:
    """One pass over the sets in the lanes this process holds; one that fails is logged and keeps
    no other from its turn.
    """
    try:
        mine = lanes.within(lanes.here.keep(), "position__account_id")
    except DatabaseError:
        logger.exception("the lanes could not be renewed; the watch comes again")
        return
    rows = list(Protection.objects.active().filter(mine).select_related("position__account"))
    if not rows:
        return
    prices = _prices(rows)
    for row in rows:
        try:
            _attend(row, prices.get(row.pk))
        except Exception:  # the outer loop of the watch
            logger.exception("protection %s not attended to; it comes again", row.pk)


def _prices(rows: Iterable[Protection]) -> dict[int, Decimal]:
    """The present price for each set whose venue tells one; the sets that have one are noted as
    watched.
    """
    sources: dict[int, Source] = {}
    for row in rows:
        try:
            sources[row.pk] = _source(row.position.account, row.position.symbol)
        except Invalid as error:  # the operator took the venue away
            logger.warning("protection %s is not watched: %s", row.pk, error.code)
    told = prices_now(set(sources.values()), max_age=PRICE_MAX_AGE)
    found = {pk: told[source] for pk, source in sources.items() if source in told}
    moment = now()
    watched = Protection.objects.filter(pk__in=found).exclude(watched_at__gte=moment - NOTED_EVERY)
    watched.update(watched_at=moment)
    return found


def _source(account: Account, symbol: str) -> Source:
    return venue_of(account), symbol, account.market_type


def _attend(row: Protection, price: Decimal | None) -> None:
    has_moved = price is not None and _follow(row, price)
    if price is not None and _fire(row, price):
        return
    is_proven = row.checked_at is not None and now() - row.checked_at < PROVEN_FOR
    if has_moved or not is_proven or row.state != Protection.State.PROTECTED:
        converge(row.position_id)


def _follow(seen: Protection, price: Decimal) -> bool:
    """Let a trailing stop follow a price that is better by a notch; whether it did."""
    if not seen.trail or seen.best_price is None:
        return False
    side = seen.position.side
    if not has_notch(seen.trail, seen.best_price, price, side=side):
        return False
    moved = Protection.objects.active().filter(
        pk=seen.pk, best_price=seen.best_price, trail=seen.trail
    )
    return bool(moved.update(best_price=price))


@transaction.atomic
def _fire(seen: Protection, price: Decimal) -> bool:
    """Close the share at market where a price has reached a leg that no working order of the venue
    stands for; whether an exit was submitted.
    """
    if not _may_be_reached(seen, price):
        return False
    sight = look(seen.position_id, seen.magic_id)
    if sight is None:
        return False
    leg = reached(sight.legs, price, side=sight.position.side)
    if leg is None or _is_left_to_the_venue(sight, leg):
        return False
    if sight.closes:
        _make_way(sight)
        return False
    row = sight.row
    if row.next_attempt_at is not None and row.failures and now() < row.next_attempt_at:
        return False
    row.next_attempt_at = now() + pause_after(row.failures)
    row.failures += 1
    code = make_order(sight, kind=leg.kind)
    row.problem = code or row.problem
    row.save()
    logger.info("protection %s: %s reached at %s: %s", row.pk, leg.kind, price, code or "closing")
    return not code


def _may_be_reached(row: Protection, price: Decimal) -> bool:
    """A look without a lock: whether the price is near any leg at all."""
    is_long = row.position.side == "buy"
    if row.trail:
        return True
    below, above = row.stop_price, row.target_price
    if not is_long:
        below, above = above, below
    return (below is not None and price <= below) or (above is not None and price >= above)


def _is_left_to_the_venue(sight: Sight, leg: Leg) -> bool:
    """Whether an order of the set works for this leg at the venue, or may: nothing is sent while
    the outcome of one is unknown.
    """
    return any(
        order.state in IN_DOUBT
        or (order.state in (states.OPEN, states.PARTIAL) and KINDS.get(order.type) == leg.kind)
        for order in sight.live
    )


def _make_way(sight: Sight) -> None:
    """Take back exits that only rest, so that a leg that was reached can close the share."""
    for order in sight.closes:
        if order.type == "limit" and order.state in (states.OPEN, states.PARTIAL):
            withdraw(sight.principal, order)
