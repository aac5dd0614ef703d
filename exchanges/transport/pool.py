"""Kept connections by scheme, host and port; new ones where none is sure to be usable."""

import asyncio
import socket
import ssl
import time
from typing import NamedTuple

import aiohttp

from exchanges.attempts import SharedAttempt

from .wire import WireConnection

ADDRESSES_KNOWN_SECONDS = 10.0
# How long one of several addresses may take to connect before the next one is tried.
ADDRESS_PATIENCE_SECONDS = 2.0


class Origin(NamedTuple):
    """Where a connection leads; ``host`` without brackets."""

    is_secure: bool
    host: str
    port: int


class Resolver:
    """The addresses of one host and port, looked up once for all who ask meanwhile."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._known: list[str] = []
        self._known_at = 0.0
        self._lookup = SharedAttempt(self._look_up)

    async def addresses(self) -> list[str]:
        """Never empty; raises OSError."""
        if not self._known or time.monotonic() - self._known_at > ADDRESSES_KNOWN_SECONDS:
            await self._lookup.result()
        return list(self._known)

    async def _look_up(self) -> None:
        found = await asyncio.get_running_loop().getaddrinfo(
            self._origin.host, self._origin.port, type=socket.SOCK_STREAM
        )
        self._known = list(dict.fromkeys(str(row[4][0]) for row in found))
        self._known_at = time.monotonic()

    def prefer(self, address: str) -> None:
        """An address that works is tried first from now on."""
        if address in self._known:
            self._known.remove(address)
            self._known.insert(0, address)


class ConnectionPool:
    """Lives on one loop. A connection taken is the taker's until it is put back."""

    def __init__(self, ssl_context: ssl.SSLContext, keep_alive: float) -> None:
        self._ssl_context = ssl_context
        self._keep_alive = keep_alive
        self._idle: dict[Origin, list[WireConnection]] = {}
        self._resolvers: dict[Origin, Resolver] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take(self, origin: Origin) -> WireConnection | None:
        """A kept connection that nothing speaks against, the last used first."""
        idle = self._idle.get(origin)
        oldest = time.monotonic() - self._keep_alive
        while idle:
            connection = idle.pop()
            if connection.idle_since > oldest and connection.is_quiet():
                return connection
            connection.close()
        return None

    def put(self, origin: Origin, connection: WireConnection) -> None:
        """Keep a connection whose answer was read to its end."""
        if self._is_closed:
            connection.close()
        if not connection.is_open:
            return
        connection.idle_since = time.monotonic()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(self._keep_alive, self._close_old)

    def _close_old(self) -> None:
        self._sweep = None
        oldest = time.monotonic() - self._keep_alive
        for origin, idle in list(self._idle.items()):
            kept = []
            for connection in idle:
                if connection.is_open and connection.idle_since > oldest:
                    kept.append(connection)
                else:
                    connection.close()
            self._idle[origin] = kept
        if any(self._idle.values()):
            self._sweep = asyncio.get_running_loop().call_later(self._keep_alive, self._close_old)

    async def open(self, origin: Origin) -> WireConnection:
        """A new connection; raises aiohttp's ClientOSError. The caller bounds the time."""
        resolver = self._resolvers.setdefault(origin, Resolver(origin))
        try:
            addresses = await resolver.addresses()
            for address in addresses[:-1]:
                try:
                    async with asyncio.timeout(ADDRESS_PATIENCE_SECONDS):
                        connection = await self._connect(origin, address)
                except (OSError, TimeoutError):
                    continue
                resolver.prefer(address)
                return connection
            return await self._connect(origin, addresses[-1])
        except OSError as error:
            raise aiohttp.ClientOSError(*error.args) from error

    async def _connect(self, origin: Origin, address: str) -> WireConnection:
        _, connection = await asyncio.get_running_loop().create_connection(
            WireConnection,
            address,
            origin.port,
            ssl=self._ssl_context if origin.is_secure else None,
            server_hostname=origin.host if origin.is_secure else None,
        )
        return connection

    def close(self) -> None:
        """Close what is kept, and whatever is put back later."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
