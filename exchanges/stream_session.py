"""One connection of a private stream, from its dial to its end."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from decimal import InvalidOperation
from typing import Any, Protocol, TypeVar

import ccxt.async_support as ccxt_async
from django.conf import settings

from common.clock import now_ms

from .client import venue_order, venue_trade
from .connection import VenueConnection
from .listening import ENDED, KEPT_ROWS, listening_class, stream_options
from .outcomes import Wire, classify
from .protocol import VenueOrder, VenueTrade
from .quirks import Quirks
from .redirect import HostNotDeclared

T = TypeVar("T")

DIAL_SECONDS = 30.0
LOOK_SECONDS = 0.05
MISSED, OVERFLOW = "message_not_read", "stream_overflow"


class StreamLost(Exception):
    """A connection that has to be given up; the text is the reason's code."""


class Reader(Protocol):
    """Who is told what a session hears; on the loop."""

    def on_live(self) -> None:
        """It listens from now on."""
        ...

    def on_gap(self, reason: str) -> None:
        """Something could not be read or kept."""
        ...

    def on_rows(self, orders: Sequence[VenueOrder] = (), trades: Sequence[VenueTrade] = ()) -> None:
        """Orders or trades as they were told."""
        ...


def reason_of(error: BaseException, quirks: Quirks) -> str:
    """The code of what ended a connection; ``unclear_answer`` for what nobody foresaw. Pure."""
    if isinstance(error, StreamLost):
        return str(error)
    # ccxt wraps what the session raised, and trips over its books when a subscription is refused.
    suspects = (*error.args, error, error.__context__)
    for kind in (HostNotDeclared, ccxt_async.BaseError):
        for each in suspects:
            if isinstance(each, kind):
                return classify(each, Wire(), quirks).code
    return "unclear_answer"


class Session:
    """Lives on the gateway's loop. One ccxt object of its own, which is closed at the end."""

    def __init__(
        self, connection: VenueConnection, secrets: dict[str, str], reader: Reader
    ) -> None:
        self._connection = connection
        self._quirks = connection.quirks
        self._reader = reader
        self._ending: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._exchange = self._new_exchange(secrets)
        self._is_live = False

    def _new_exchange(self, secrets: dict[str, str]) -> Any:
        ccxt_id = self._connection.venue.ccxt_id
        exchange = self._connection.new_exchange(
            secrets,
            exchange_class=listening_class(ccxt_id),
            options={
                **stream_options(silence_seconds=settings.STREAM_SILENCE_SECONDS),
                **self._quirks.stream_options,
            },
        )
        exchange.tell = self._on_word
        return exchange

    def end(self, reason: str) -> None:
        """Make :meth:`run` raise StreamLost; safe to repeat."""
        if not self._ending.done():
            self._ending.set_result(reason)

    def _on_word(self, word: str) -> None:
        if word == ENDED:
            self.end(word)
        else:
            self._reader.on_gap(word)

    async def run(self) -> None:
        """Read until the connection ends; raises what ended it, never returns otherwise."""
        calls: list[Coroutine[Any, Any, None]] = [self._ended(), self._watch_over()]
        if self._exchange.has.get("watchOrders"):
            calls.append(self._read_orders())
        if self._exchange.has.get("watchMyTrades"):
            calls.append(self._read_trades())
        tasks = [asyncio.ensure_future(call) for call in calls]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            _raise_from(done)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._exchange.hang_up()

    async def _ended(self) -> None:
        raise StreamLost(await self._ending)

    async def _read_orders(self) -> None:
        params = self._params()
        while True:
            # Not wrapped in a task of its own: what ccxt returns is taken before more can arrive.
            rows = await self._exchange.watch_orders(None, None, None, params)
            if self._quirks.stream_whole_orders:
                self._exchange.orders = None
            self._reader.on_rows(orders=self._read(rows, venue_order))

    async def _read_trades(self) -> None:
        params = self._params()
        while True:
            rows = await self._exchange.watch_my_trades(None, None, None, params)
            self._exchange.myTrades = None
            self._reader.on_rows(trades=self._read(rows, venue_trade))

    def _params(self) -> dict[str, Any]:
        market_type = self._connection.market_type
        return {} if market_type == "spot" else {"type": market_type}

    def _read(self, rows: Sequence[dict[str, Any]], read: Callable[[dict[str, Any]], T]) -> list[T]:
        """ccxt's rows as ours; what cannot be read, or was more than ccxt keeps, is a gap."""
        if len(rows) >= KEPT_ROWS:
            self._reader.on_gap(OVERFLOW)
        found = []
        for row in rows:
            try:
                found.append(read(row))
            except (KeyError, TypeError, ValueError, InvalidOperation):
                self._reader.on_gap(MISSED)
        return found

    async def _watch_over(self) -> None:
        """Say when the session is live; raise StreamLost when it is silent, old or never gets so
        far.
        """
        began = time.monotonic()
        while True:
            silence = settings.STREAM_SILENCE_SECONDS
            await asyncio.sleep(silence / 10 if self._is_live else LOOK_SECONDS)
            self._connection.prepare(self._exchange)
            age = time.monotonic() - began
            if not self._is_live:
                self._become_live(age)
            elif now_ms() - self._exchange.heard_ms > silence * 1000:
                raise StreamLost("silent")
            elif age > self._lifetime():
                raise StreamLost("aged")

    def _become_live(self, age: float) -> None:
        if self._exchange.is_listening:
            self._is_live = True
            self._reader.on_live()
        elif age > DIAL_SECONDS:
            raise StreamLost("not_connected")

    def _lifetime(self) -> float:
        is_spot = self._connection.market_type == "spot"
        quirks = self._quirks
        return float(quirks.stream_seconds if is_spot else quirks.derivative_stream_seconds)


def _raise_from(done: set[Any]) -> None:
    """Raise the first failure; ccxt cancels what waits on a connection that it closes."""
    for each in done:
        if each.cancelled():
            raise StreamLost("connection_lost")
        error = each.exception()
        if error is not None:
            raise error
