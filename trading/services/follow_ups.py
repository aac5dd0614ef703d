"""What the market did next: the price of a shadow deal's symbol at fixed horizons after it.

Rows are made by a durable consumer of ``deal.created`` and filled by a sweep; both may be repeated.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta

from accounts.books import SHADOW
from common.bulk import insert_rows
from common.clock import from_ms, now
from common.errors import DomainError
from events.models import Event
from exchanges.venues import resolve
from marketdata.services import refresh_quote
from marketdata.symbols import market_type_of
from trading.models import Deal, FollowUp

logger = logging.getLogger(__name__)

HORIZONS = (10, 60, 300, 900)
# A price that comes later than this is not the horizon's any more.
PATIENCE = timedelta(seconds=30)
BATCH = 500


def of_shadow(events: Sequence[Event]) -> list[Event]:
    """Those that tell a deal of the shadow book."""
    return [event for event in events if event.payload.get("book") == SHADOW]


def expect(event: Event) -> None:
    """Consumer handler for ``deal.created``: note when to look."""
    deal = Deal.objects.filter(pk=event.payload["deal_id"], book=SHADOW).first()
    if deal is None or deal.order_id is None:
        return
    rows = [
        FollowUp(deal=deal, seconds=seconds, due_at=deal.executed_at + timedelta(seconds=seconds))
        for seconds in HORIZONS
    ]
    insert_rows(rows, ignore_conflicts=True)


def look() -> int:
    """Ask for the prices that are due, one question per venue and symbol; returns how many rows
    were filled. What could not be told in time is missed, for ever.
    """
    waiting = FollowUp.objects.filter(price=None, missed=False)
    waiting.filter(due_at__lt=now() - PATIENCE).update(missed=True)
    due = waiting.filter(due_at__lte=now()).select_related("deal__account").order_by("due_at")
    together: dict[tuple[str, bool, str], list[FollowUp]] = {}
    for row in due[:BATCH]:
        account = row.deal.account
        key = (account.venue, account.is_testnet, row.deal.symbol)
        together.setdefault(key, []).append(row)
    return sum(
        _fill(*key, rows) for key, rows in sorted(together.items(), key=lambda item: item[0])
    )


def _fill(venue: str, is_testnet: bool, symbol: str, rows: Iterable[FollowUp]) -> int:
    try:
        where = resolve(venue, is_testnet=is_testnet)
        told = refresh_quote(where, symbol, market_type_of(symbol))
    except DomainError as error:
        logger.info("price of %s at %s after a fill: %s", symbol, venue, error.code)
        return 0
    chosen = FollowUp.objects.filter(pk__in=[row.pk for row in rows], price=None, missed=False)
    return chosen.update(price=told.price, at=from_ms(told.at_ms))
