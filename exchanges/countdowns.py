"""Telling a venue's dead man's switch that we live."""

import time

from .connection import send_by
from .gateway import gateway
from .protocol import AccountRef

# A request that the venue's budget held up longer does not leave any more.
PATIENCE_SECONDS = 3.0


async def tell(account: AccountRef, symbol: str, seconds: int) -> None:
    """Start the account's countdown anew, 0 stops it (see ``VenueClient.count_down``); runs on the
    gateway's loop. Raises VenueError, SealError, Invalid.
    """
    client = await gateway().client(account)
    token = send_by.set(time.monotonic() + PATIENCE_SECONDS)
    try:
        await client.count_down(symbol, seconds)
    finally:
        send_by.reset(token)
