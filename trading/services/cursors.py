"""How far the trades of a stream are known after a poll."""

from collections.abc import Iterable

from common.clock import from_ms
from exchanges.protocol import VenueTrade
from trading.models import TradeCursor

from .agenda import OVERLAP_MS, Agenda, long_look


def moved_on(
    agenda: Agenda,
    symbol: str,
    cursor: TradeCursor,
    asked_ms: int,
    waiting: Iterable[VenueTrade] = (),
) -> None:
    """Move the cursor (the object alone) to ten minutes before the question, and never past a trade
    that waits; a question that did not go back as far as the cursor proves nothing about the time
    before it.

    What the venue tells late within that time is still seen (see ``look_back``); a symbol without
    trades costs one question however long it has been idle.
    """
    waits = [trade.executed_ms for trade in waiting]
    if agenda.trades_since.get(symbol, 0) <= long_look(agenda.account, cursor):
        cursor.since_ms = max(cursor.since_ms, min([asked_ms - OVERLAP_MS, *waits]))
    cursor.checked_at = None if waits else from_ms(asked_ms)
