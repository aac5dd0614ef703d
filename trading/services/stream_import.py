"""What private streams told, imported through the same door as the poll.

Any order and repetition of messages ends in the same ledger: deals are unique by trade id, an
order's figures are the sum of its deals, and states move along their table. A stream books only
what belongs to orders of ours; what it cannot tie to one, the poll asks the venue about.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Q

from accounts.books import SIMULATED
from exchanges.protocol import VenueOrder, VenueTrade
from exchanges.streams import News
from trading import states
from trading.models import Order

from .fills import hold_streams, import_trades
from .following import Followed, follow
from .settlement import follow_status, settle_found
from .transitions import Moves

logger = logging.getLogger(__name__)

CAUSE = "stream"
Key = tuple[int, str, str]


@dataclass(slots=True)
class Outcome:
    """Accounts whose venue has to be asked: ``at_once`` for what the stream could not explain,
    ``soon`` where deals arrived (balances moved) or are still to come. ``unexplained`` are the
    symbols of trades of no order of ours.
    """

    at_once: set[int] = field(default_factory=set)
    soon: set[int] = field(default_factory=set)
    unexplained: set[Followed] = field(default_factory=set)


def import_news(batch: Sequence[News]) -> Outcome:
    """Write what several streams told in one transaction, or account by account when that fails.

    What cannot be written is left to the poll.
    """
    outcome = Outcome(at_once={news.account_id for news in batch if news.hint})
    booked = [news for news in batch if not news.hint]
    if not booked:
        return outcome
    try:
        _import(booked, outcome)
    except Exception:  # the outer loop of the import: one bad message must not take the others
        logger.exception("news of %s streams not written together", len(booked))
        for account_id in sorted({news.account_id for news in booked}):
            _import_alone(account_id, booked, outcome)
    follow(outcome.unexplained)
    return outcome


def _import_alone(account_id: int, batch: Sequence[News], outcome: Outcome) -> None:
    try:
        _import([news for news in batch if news.account_id == account_id], outcome)
    except Exception:  # as above
        logger.exception("news of account %s not written; the poll asks", account_id)
        outcome.at_once.add(account_id)


@transaction.atomic
def _import(batch: Sequence[News], outcome: Outcome) -> None:
    """Tie orders first, then book trades, then follow the venue's final states."""
    told = _Told(batch)
    meant = _orders_meant(told)
    hold_streams((order.account_id, order.symbol) for order in meant)
    rows = Order.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    orders = list(rows.filter(pk__in=[order.pk for order in meant]).order_by("pk"))
    moves = Moves()
    for order in orders:
        for found in told.of(order):
            settle_found(order, found, moves, cause=CAUSE)
    _book(told, orders, moves, outcome)
    for order in orders:
        for found in told.of(order):
            follow_status(order, found, moves, cause=CAUSE)
            if order.state not in states.TERMINAL and found.filled > order.filled_quantity:
                outcome.soon.add(order.account_id)
    moves.flush()


class _Told:
    """A batch by (account, symbol, the venue's order id)."""

    def __init__(self, batch: Iterable[News]) -> None:
        self.orders: dict[Key, list[VenueOrder]] = defaultdict(list)
        self.trades: dict[Key, list[VenueTrade]] = defaultdict(list)
        self.ids: dict[Key, Key] = {}
        for news in batch:
            for order in news.orders:
                key = (news.account_id, order.symbol, order.exchange_order_id)
                self.orders[key].append(order)
                if order.client_order_id:
                    self.ids[(news.account_id, order.symbol, order.client_order_id)] = key
            for trade in news.trades:
                self.trades[(news.account_id, trade.symbol, trade.exchange_order_id)].append(trade)

    def of(self, order: Order) -> list[VenueOrder]:
        """What was told of an order of ours, by its id at the venue or by ours."""
        key = (order.account_id, order.symbol, order.exchange_order_id)
        if not order.exchange_order_id:
            key = self.ids.get((order.account_id, order.symbol, order.client_order_id), key)
        return self.orders.get(key, [])


def _orders_meant(told: _Told) -> list[Order]:
    """Our orders that the batch is about, read without a lock."""
    keys = {*told.orders, *told.trades}
    sent = Order.objects.exclude(book__in=SIMULATED)
    rows = sent.filter(account__in={account for account, _, _ in keys}).filter(
        Q(exchange_order_id__in={order_id for _, _, order_id in keys if order_id})
        | Q(client_order_id__in={client_id for _, _, client_id in told.ids})
    )
    return [
        row
        for row in rows
        if (row.account_id, row.symbol, row.exchange_order_id) in keys
        or (row.account_id, row.symbol, row.client_order_id) in told.ids
    ]


def _book(told: _Told, orders: Sequence[Order], moves: Moves, outcome: Outcome) -> None:
    """Import the trades of our orders, account by account; the others are asked about."""
    ours: dict[Key, Order] = {
        (order.account_id, order.symbol, order.exchange_order_id): order for order in orders
    }
    together: dict[tuple[int, str], list[Key]] = defaultdict(list)
    for key in told.trades:
        if key in ours and key[2]:
            together[key[:2]].append(key)
        else:
            outcome.at_once.add(key[0])
            outcome.unexplained.add(key[:2])
    for (account_id, symbol), keys in sorted(together.items()):
        trades = [trade for key in keys for trade in told.trades[key]]
        known = [ours[key] for key in keys]
        if import_trades(known[0].seat, symbol, trades, moves, known_orders=known):
            outcome.soon.add(account_id)
