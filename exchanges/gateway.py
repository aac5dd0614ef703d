"""The way to every exchange: one event loop thread per process, warm connections, one client per
account.
"""

import asyncio
import logging
import os
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import uvloop
from django.conf import settings
from django.db import close_old_connections, connections

from common.crash import crash_point
from common.errors import DomainError

from .attempts import SharedAttempt
from .clearing import Protection, cleared
from .client import CcxtClient
from .connection import VenueConnection, deadline_passed, send_by
from .outcomes import NOT_SENT, UNKNOWN, VenueError
from .paper import STARTING_BALANCE, PaperClient
from .paper_books import PaperStore
from .paper_contracts import PaperContracts, ShadowContracts
from .protocol import AccountRef, OrderRequest, VenueClient, VenueOrder
from .shadow import ShadowClient
from .streams import StreamHub
from .transport import Session, open_session
from .turns import Turns
from .venues import Venue, resolve

logger = logging.getLogger(__name__)
T = TypeVar("T")
# Account, version of its credentials, book.
ClientKey = tuple[int, int, str]

CALL_TIMEOUT_SECONDS = 30.0
# Another process, or a person, may change it meanwhile.
LEVERAGE_KNOWN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sending:
    """One claimed order on its way: ``key`` names it for the sink, ``deadline`` is monotonic
    seconds.

    ``cancels_first`` are own protective orders that hold the funds this order needs; ``leverage``
    is set for its symbol first, 0 leaves it as it is; ``before_wire`` is awaited last, and where it
    fails nothing is sent.
    """

    key: int
    account: AccountRef
    request: OrderRequest
    deadline: float
    cancels_first: tuple[Protection, ...] = ()
    leverage: int = 0
    before_wire: Callable[[VenueClient], Awaitable[None]] | None = None


Sink = Callable[[int, VenueOrder | VenueError], None]


class Gateway:
    """Owns the loop thread and everything that lives on it; made once per process."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._connections: dict[tuple[str, str], VenueConnection] = {}
        self._clients: dict[ClientKey, VenueClient] = {}
        self._makings: dict[ClientKey, SharedAttempt[VenueClient]] = {}
        self._turns = Turns()
        self._leverages: dict[tuple[int, str, str], tuple[int, float]] = {}
        self._session: Session | None = None
        self._ssl_context = ssl.create_default_context()
        self.streams = StreamHub(self._connection_of)
        self._database = ThreadPoolExecutor(1, thread_name_prefix="gateway-db")
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine on the gateway's loop from any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def loop_call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function on the gateway's loop, soon; nobody waits for it."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float = CALL_TIMEOUT_SECONDS) -> T:
        """Run a coroutine on the loop and wait for it; raises VenueError (UNKNOWN) on a
        time-out.
        """
        future = self.submit(coroutine)
        try:
            return future.result(timeout)
        except TimeoutError as error:
            future.cancel()
            raise VenueError(
                outcome=UNKNOWN, code="timeout", message="the exchange did not answer in time"
            ) from error

    async def connection(self, venue: Venue, market_type: str = "spot") -> VenueConnection:
        """The shared connection of a venue; made on first use."""
        key = (venue.key, market_type)
        if key not in self._connections:
            if self._session is None:
                self._session = open_session(settings.EXCHANGE_TRANSPORT, self._ssl_context)
            self._connections[key] = VenueConnection(
                venue, market_type, self._session, self._ssl_context
            )
        return self._connections[key]

    async def _connection_of(self, account: AccountRef) -> VenueConnection:
        return await self.connection(
            resolve(account.venue, is_testnet=account.is_testnet), account.market_type
        )

    async def client(self, account: AccountRef) -> VenueClient:
        """The account's client for its book, markets loaded; raises VenueError, SealError, Invalid.

        Those who ask while it is being made get the same one, or the same failure.
        """
        key = (account.account_id, account.version, account.book)
        if key in self._clients:
            return self._clients[key]
        if key not in self._makings:
            self._makings[key] = SharedAttempt(lambda: self._make_client(key, account))
        return await self._makings[key].result()

    async def _make_client(self, key: ClientKey, account: AccountRef) -> VenueClient:
        try:
            client = self._clients[key] = await self._new_client(account)
        finally:  # who asks after a failure may know more of the account
            self._makings.pop(key, None)
        return client

    async def _new_client(self, account: AccountRef) -> VenueClient:
        connection = await self._connection_of(account)
        await connection.public()
        is_spot = account.market_type == "spot"
        if account.book == "paper":
            paper = PaperClient if is_spot else PaperContracts
            return paper(**self._own_book(account, connection))
        real = CcxtClient(connection, connection.new_exchange(account.secrets()))
        if account.book != "shadow":
            return real
        max_age_ms = settings.QUOTE_MAX_AGE_SECONDS * 1000
        shadow = ShadowClient if is_spot else ShadowContracts
        return shadow(**self._own_book(account, connection), real=real, max_age_ms=max_age_ms)

    def _own_book(self, account: AccountRef, connection: VenueConnection) -> dict[str, Any]:
        """What a client needs whose fills are our own."""
        store = PaperStore(account.account_id, account.book)
        return {
            "account_key": str(account.account_id),
            "rules": connection.rules,
            "quotes": connection.quote,
            "load": lambda: self.in_database(store.load),
            "save": lambda state: self.in_database(partial(store.save, state)),
            "is_current": lambda: self.in_database(store.is_current),
            "balances": {account.quote_currency: STARTING_BALANCE},
        }

    async def advance_paper(self, account: AccountRef, symbol: str) -> None:
        """Let the resting orders of a book of our own meet the present price; raises VenueError."""
        client = await self.client(account)
        if isinstance(client, PaperClient):
            connection = await self._connection_of(account)
            await client.tick(await connection.quote(symbol))

    async def in_database(self, function: Callable[[], T]) -> T:
        """Run a blocking database function on the gateway's own database thread."""

        def work() -> T:
            close_old_connections()
            return function()

        return await self._loop.run_in_executor(self._database, work)

    async def send_all(self, sendings: Iterable[Sending], sink: Sink) -> None:
        """Send every order at once, those of one account in turns; ``sink`` is called on the loop
        with each result as it arrives.
        """
        await asyncio.gather(*(self._send(sending, sink) for sending in sendings))

    async def _send(self, sending: Sending, sink: Sink) -> None:
        async with self._turns.next_of(sending.account.account_id) as turn:
            prepared = await self._prepared(sending)
            if isinstance(prepared, VenueError):
                result: VenueOrder | VenueError = prepared
            else:
                crash_point("before_send")
                turn.begun.set()
                result = await self._attempt(*prepared, sending.deadline)
        crash_point("after_ack")
        if isinstance(result, VenueError):
            result.credentials_version = sending.account.version
        sink(sending.key, result)

    async def _prepared(self, sending: Sending) -> tuple[VenueClient, OrderRequest] | VenueError:
        """The account's client, and the request once nothing stands in its way; what fails here
        fails before anything was sent, whatever became of the requests for markets or cancels.
        """
        try:
            client = await self.client(sending.account)
            await self._leveraged(client, sending)
            request = await cleared(client, sending.request, sending.cancels_first)
            if sending.before_wire is not None:
                await sending.before_wire(client)
            return client, request
        except VenueError as error:
            return VenueError(
                outcome=NOT_SENT,
                code=error.code,
                message=error.message,
                venue_code=error.venue_code,
                retry_after=error.retry_after,
            )
        except DomainError as error:  # an unknown symbol, a venue that has moved
            return VenueError(outcome=NOT_SENT, code=error.code, message=error.message)
        except Exception as error:  # a bad setting, a key that does not open
            logger.exception("order %s could not be sent", sending.request.client_order_id)
            return VenueError(outcome=NOT_SENT, code="cannot_send", message=type(error).__name__)

    async def _leveraged(self, client: VenueClient, sending: Sending) -> None:
        """Set the symbol's leverage unless this process has just done so; raises VenueError."""
        key = (sending.account.account_id, sending.account.book, sending.request.symbol)
        known, until = self._leverages.get(key, (0, 0.0))
        is_known = known == sending.leverage and time.monotonic() < until
        if sending.leverage and not is_known:
            self._leverages.pop(key, None)
            await client.set_leverage(sending.request.symbol, Decimal(sending.leverage))
            until = time.monotonic() + LEVERAGE_KNOWN_SECONDS
            self._leverages[key] = (sending.leverage, until)

    async def _attempt(
        self, client: VenueClient, request: OrderRequest, deadline: float
    ) -> VenueOrder | VenueError:
        """The one wire attempt; an answer that nobody understands leaves the outcome unknown."""
        if time.monotonic() > deadline:
            return deadline_passed()
        send_by.set(deadline)
        try:
            return await client.place(request)
        except VenueError as error:
            return error
        except Exception as error:  # bytes may have left: only the exchange knows
            logger.exception("answer to order %s not read", request.client_order_id)
            return VenueError(outcome=UNKNOWN, code="unclear_answer", message=type(error).__name__)

    async def edit(
        self, account: AccountRef, exchange_order_id: str, request: OrderRequest, deadline: float
    ) -> None:
        """Change an order in place, one wire attempt that does not leave after ``deadline``
        (monotonic seconds); raises VenueError.
        """
        client = await self.client(account)
        token = send_by.set(deadline)
        try:
            await client.edit(exchange_order_id, request)
        finally:
            send_by.reset(token)

    def close(self, timeout: float = 10.0) -> None:
        """Wait for calls in flight, close sessions, stop the loop. Safe to repeat."""
        if not self._thread.is_alive():
            return
        try:
            self.submit(self._drain(timeout)).result(timeout + 5)
        except TimeoutError:
            logger.warning("the gateway did not drain in time")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout)
        self._database.submit(connections.close_all).result(timeout)
        self._database.shutdown(wait=True)
        self._loop.close()

    async def _drain(self, timeout: float) -> None:
        await self.streams.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if others:
            await asyncio.wait(others, timeout=timeout)
        if self._session is not None:
            await self._session.close()


_gateway: Gateway | None = None
_owner_pid = 0
_guard = threading.Lock()


def gateway() -> Gateway:
    """This process's gateway, started on first use (and anew after a fork)."""
    global _gateway, _owner_pid
    with _guard:
        if _gateway is None or _owner_pid != os.getpid():
            _gateway, _owner_pid = Gateway(), os.getpid()
        return _gateway


def start() -> None:
    """Start the loop thread now rather than at the first call."""
    gateway()


def shutdown() -> None:
    """Close this process's gateway; a later call of :func:`gateway` starts a new one."""
    global _gateway
    with _guard:
        running, _gateway = _gateway, None
    if running is not None and _owner_pid == os.getpid():
        running.close(timeout=settings.EXCHANGE_TIMEOUT_MS / 1000 + 2)


async def gathered(calls: Iterable[Awaitable[T]]) -> list[T | BaseException]:
    """Await several calls at once; failures stand in the result where the value would."""
    return await asyncio.gather(*calls, return_exceptions=True)
