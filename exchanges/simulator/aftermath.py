"""What an exchange does to an order, or beside it, some time after it was accepted."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from decimal import Decimal

from exchanges.matching import CANCELED, EXPIRED, BookOrder, Refusal, Ticket
from exchanges.simulator.engine import Engine
from exchanges.simulator.faults import Fault

Work = Callable[[Engine, Fault, BookOrder], None]

logger = logging.getLogger(__name__)

ENDINGS = {"venue_cancel": CANCELED, "venue_expire": EXPIRED}
# Before the restart of a simulator and after it the ids must differ, hence the time in them.
_numbers = itertools.count(1)


def follow(engine: Engine, fault: Fault, order: BookOrder) -> None:
    """Let ``fault`` of the kinds ``AFTERMATH`` come over ``order`` after its ``ms`` (100)."""
    work = _end if fault.kind in ENDINGS else _trade_back
    delay = float(fault.params.get("ms", 100)) / 1000
    asyncio.get_running_loop().call_later(delay, _carry_out, work, engine, fault, order)


def _carry_out(work: Work, engine: Engine, fault: Fault, order: BookOrder) -> None:
    if not engine.is_open:
        return
    try:
        work(engine, fault, order)
    except Refusal as refusal:
        # The order has ended by itself, or there is nothing left to trade with.
        logger.debug("%s did not happen: %s", fault.kind, refusal.code)


def _end(engine: Engine, fault: Fault, order: BookOrder) -> None:
    engine.cancel(order, status=ENDINGS[fault.kind])


def _trade_back(engine: Engine, fault: Fault, order: BookOrder) -> None:
    step = engine.core_of(order.symbol).markets[order.symbol].step
    quantity = order.quantity * Decimal(str(fault.params.get("share", "0.5")))
    quantity -= quantity % step
    ticket = Ticket(
        symbol=order.symbol,
        side="sell" if order.side == "buy" else "buy",
        type="MARKET",
        quantity=max(quantity, step),
        client_id=f"autoclose-{engine.now_ms()}-{next(_numbers)}",
        position_side=order.position_side,
    )
    engine.place_unasked(order.account, ticket)
