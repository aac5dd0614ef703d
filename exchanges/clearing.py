"""Getting protective orders out of the way of an exit: cancelled, and known to be at their end."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from .outcomes import NOT_SENT, VenueError
from .protocol import OPEN, OrderRequest, VenueClient, VenueOrder

logger = logging.getLogger(__name__)

# How often an exchange is asked that contradicts itself; together less than an order may take.
LOOKS, PAUSE_SECONDS = 5, 0.25


@dataclass(frozen=True, slots=True)
class Protection:
    """A protective order to be cancelled first; ``known_filled`` (base units) is what the ledger
    has of it.
    """

    client_order_id: str
    exchange_order_id: str
    known_filled: Decimal


async def cleared(
    client: VenueClient, request: OrderRequest, protections: Iterable[Protection]
) -> OrderRequest:
    """Cancel the protective orders; what one of them filled unseen is taken off the request.

    Raises VenueError, nothing being sent: ``nothing_to_close`` when that leaves nothing,
    ``protection_unclear`` while the exchange says that one still works.
    """
    for protection in protections:
        found = await _ended(client, request.symbol, protection)
        unseen = found.filled - protection.known_filled if found else Decimal(0)
        request = replace(request, quantity=request.quantity - max(unseen, Decimal(0)))
    if request.quantity <= 0:
        raise VenueError(
            outcome=NOT_SENT, code="nothing_to_close", message="its take-profit was quicker"
        )
    return request


async def _ended(client: VenueClient, symbol: str, protection: Protection) -> VenueOrder | None:
    """The order as it ended; None for one that the exchange does not know.

    An answer may be older than the order's last fill: one that is open after its cancel, or not
    known though the exchange has numbered it, is asked for again. What is not known in the end is
    gone: an exit has to be possible where an exchange has forgotten an order.
    """
    ids = (protection.client_order_id, protection.exchange_order_id)
    found, is_cancelled = None, False
    for look in range(LOOKS):
        if look:
            await asyncio.sleep(PAUSE_SECONDS)
        if not is_cancelled:
            is_cancelled = await _is_cancelled(client, symbol, ids)
        found = await client.find_order(symbol, *ids)
        if found is not None and found.status != OPEN:
            return found
        if found is None and not (is_cancelled or protection.exchange_order_id):
            return None
    if found is None:
        return None
    raise VenueError(
        outcome=NOT_SENT,
        code="protection_unclear",
        message="the exchange tells a protective order as open that it cannot cancel",
    )


async def _is_cancelled(client: VenueClient, symbol: str, ids: tuple[str, str]) -> bool:
    try:
        await client.cancel(symbol, *ids)
    except VenueError as error:
        logger.info("protective order %s not cancelled: %s", ids[0], error.code)
        return False
    return True
