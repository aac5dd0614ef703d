"""ccxt.pro's classes made fit to be listened to: they tell what ccxt would keep to itself, and
leave nothing running behind.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from inspect import isawaitable
from typing import Any

import ccxt.pro as ccxt_pro

from .instrumented import Observed

logger = logging.getLogger(__name__)

# A message after which the venue sends nothing more on this stream; ccxt ignores the first.
ENDINGS = frozenset({"listenKeyExpired", "eventStreamTerminated"})
MISSED, ENDED = "message_not_read", "stream_ended"
# Rows that an account needs to keep between two readings; more at once is a gap.
KEPT_ROWS = 100
GOODBYE_SECONDS = 1.0
# After so many pings without a pong ccxt gives a connection up.
PONGS_MISSED = 2


class _Listening:
    """Mixin over a ccxt.pro exchange; changes nothing of what is sent.

    ``tell`` is called with MISSED when a message could not be read and with ENDED when the venue
    ended the stream.
    """

    tell: Callable[[str], None] = staticmethod(lambda word: None)
    authenticating = 0

    def handle_message(self, client: Any, message: Any) -> None:
        """Let ccxt read a message. An error in it would stop ccxt's reading without a word."""
        try:
            super().handle_message(client, message)  # type: ignore[misc]
        except Exception:  # the outer loop of one message
            logger.exception("a message of %s could not be read", type(self).__name__)
            self.tell(MISSED)
        if _event_of(message) in ENDINGS:
            self.tell(ENDED)

    def client(self, url: str) -> Any:
        """ccxt's socket of a URL; a failure that nobody waited for is no error of its own."""
        client = super().client(url)  # type: ignore[misc]
        if "future" not in client.__dict__:
            client.future = partial(_looked_after, client.future)
        return client

    async def authenticate(self, *arguments: Any, **named: Any) -> Any:
        """Authenticate, and be seen at it."""
        self.authenticating += 1
        try:
            answer = super().authenticate(*arguments, **named)  # type: ignore[misc]
            return await answer if isawaitable(answer) else answer
        finally:
            self.authenticating -= 1

    def delay(self, timeout: Any, method: Any, *arguments: Any) -> Any:
        """Start one of ccxt's timers, which :meth:`hang_up` stops."""
        timer = super().delay(timeout, method, *arguments)  # type: ignore[misc]
        self.__dict__.setdefault("_timers", []).append(timer)
        return timer

    def _sockets(self) -> list[Any]:
        """ccxt's sockets; what it keeps beside them for its own bookkeeping is never dialled."""
        clients = self.clients or {}  # type: ignore[attr-defined]
        return [client for url, client in clients.items() if url.startswith("ws")]

    @property
    def is_listening(self) -> bool:
        """Whether every socket is open and no authentication is under way."""
        sockets = self._sockets()
        return (
            bool(sockets)
            and not self.authenticating
            and all(socket.isConnected and not socket.closed() for socket in sockets)
        )

    @property
    def heard_ms(self) -> int:
        """When the quietest socket last heard anything, pongs included (milliseconds)."""
        return min(
            (
                int(each.last_message_at or each.connectionEstablished or 0)
                for each in self._sockets()
            ),
            default=0,
        )

    async def hang_up(self) -> None:
        """Close the sockets and stop the timers; a venue that does not say goodbye is cut off."""
        for timer in self.__dict__.pop("_timers", []):
            timer.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.close(), GOODBYE_SECONDS)  # type: ignore[attr-defined]


def _looked_after(make: Callable[[str], Any], message_hash: str) -> Any:
    future = make(message_hash)
    future.remove_done_callback(_look)
    future.add_done_callback(_look)
    return future


def _look(future: Any) -> None:
    if not future.cancelled():
        future.exception()


def _event_of(message: Any) -> str:
    if not isinstance(message, dict):
        return ""
    inner = message.get("event")
    return str((inner if isinstance(inner, dict) else message).get("e") or "")


@lru_cache(maxsize=128)
def listening_class(ccxt_id: str) -> type[Any]:
    """The ccxt.pro class of an id with both observers mixed in."""
    return type(f"Listening_{ccxt_id}", (_Listening, Observed, getattr(ccxt_pro, ccxt_id)), {})


def stream_options(*, silence_seconds: float) -> dict[str, Any]:
    """ccxt's options for a private stream: pings often enough to notice silence, no compression
    (which costs memory for each socket), short caches.
    """
    return {
        "ordersLimit": KEPT_ROWS,
        "tradesLimit": KEPT_ROWS,
        "ws": {"compress": 0, "keepAlive": int(silence_seconds * 1000 / PONGS_MISSED)},
    }
