"""A request runs to its end, also when the server has given it up.

A view runs in a thread that is lent a database connection, and Django gives it back when it says
that the request has finished. The server cancels a request whose client left ten seconds ago: the
handler would end there and then, its thread a little later with the connection still in its hands,
and the pool would be one short for ever, until nobody is answered any more. Django itself notices
that a client left and comes to an end in order, so it is left to that.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

AsgiApplication = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
logger = logging.getLogger(__name__)


def to_its_end(application: AsgiApplication) -> AsgiApplication:
    """The application, of which a cancelled call goes on by itself."""
    # The loop holds tasks weakly.
    running: set[asyncio.Future[None]] = set()

    def ended(request: asyncio.Future[None]) -> None:
        running.discard(request)
        if not request.cancelled() and (error := request.exception()) is not None:
            logger.error("a request that was given up failed", exc_info=error)

    async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
        request = asyncio.ensure_future(application(scope, receive, send))
        try:
            await asyncio.shield(request)
        except asyncio.CancelledError:
            running.add(request)
            request.add_done_callback(ended)
            raise

    return serve
