"""One WebSocket of the simulator: its queue, its pings, and what faults make of it."""

import asyncio
import itertools
import json
import time
from contextlib import suppress
from typing import Any

from aiohttp import web

from exchanges.simulator.fault_kinds import CONNECTION
from exchanges.simulator.faults import Fault

QUEUE_LIMIT = 20_000
PING_S = 20
DEAF_S = 60
FUTURES_DOORS = ("/private/", "/public/", "/market/")
LONGEST_HOLD_S = 0.3
_numbers = itertools.count(1)


class Socket:
    """One WebSocket with its outgoing queue; ``api_key`` once a user stream is subscribed."""

    def __init__(self, request: web.Request, ws: web.WebSocketResponse, *, combined: bool) -> None:
        self.request = request
        self.ws = ws
        self.combined = combined
        self.number = next(_numbers)
        self.api_key = ""
        self.is_futures = request.path.startswith(FUTURES_DOORS)
        self.streams: set[str] = set()
        self.held: list[Any] = []
        self.queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_LIMIT)
        self._stalled_until = 0.0
        self._heard_at = self._pinged_at = time.monotonic()

    @property
    def is_stalled(self) -> bool:
        """Whether the socket says nothing, not even to a ping, though the connection stands."""
        return time.monotonic() < self._stalled_until

    def send(self, message: Any) -> None:
        """Queue a message; lost while stalled. A reader too slow for the queue is cut."""
        if not self.is_stalled:
            self._queue(json.dumps(message, separators=(",", ":")))

    def wrapped(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event of the user stream in the envelope of its door."""
        return event if self.is_futures else {"subscriptionId": 0, "event": event}

    def hear(self) -> None:
        """The other side has given a sign of life."""
        self._heard_at = time.monotonic()

    def keep_alive(self) -> None:
        """Ping when it is time; cut a connection from which nothing is heard any more."""
        now = time.monotonic()
        if self.is_stalled:
            return
        if now - self._heard_at > DEAF_S:
            self.cut()
        elif now - self._pinged_at > PING_S:
            self._pinged_at = now
            self._queue(None)

    def stall(self, seconds: float) -> None:
        """Fall silent. What would be said in the meantime is lost."""
        self._stalled_until = time.monotonic() + seconds

    def cut(self) -> None:
        """Break the connection without a goodbye."""
        self.api_key = ""
        if self.request.transport is not None:
            self.request.transport.abort()

    def close(self) -> None:
        """End the connection properly, as an exchange does after a day."""
        self.api_key = ""
        asyncio.ensure_future(self.ws.close(code=1001, message=b"going away"))

    async def pump(self) -> None:
        """Send what is queued until the socket ends."""
        with suppress(ConnectionError):
            while True:
                text = await self.queue.get()
                if text is None:
                    await self.ws.ping()
                else:
                    await self.ws.send_str(text)

    def _queue(self, text: str | None) -> None:
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.cut()


def disturb(socket: Socket, fault: Fault) -> None:
    """Let a fault of the kinds ``CONNECTION`` befall the socket."""
    if fault.kind == "ws_cut":
        socket.cut()
    elif fault.kind == "ws_close":
        socket.close()
    elif fault.kind == "ws_stall":
        socket.stall(float(fault.params.get("seconds") or "inf"))
    elif fault.kind == "ws_terminate":
        name = "listenKeyExpired" if socket.is_futures else "eventStreamTerminated"
        socket.send(socket.wrapped({"e": name, "E": time.time_ns() // 1_000_000}))
        socket.api_key = ""


def tell(socket: Socket, message: Any, fault: Fault | None) -> None:
    """Send one message of a user stream as ``fault`` has it: not, twice, late, again, or after
    the next one; a fault of the connection strikes before it.
    """
    kind = fault.kind if fault else ""
    if fault is not None and kind in CONNECTION:
        disturb(socket, fault)
    elif kind == "ws_reorder":
        socket.held.append(message)
        _later(LONGEST_HOLD_S, lambda: _let_go(socket))
    elif kind == "ws_delay":
        _later(_seconds(fault), lambda: socket.send(message))
    elif kind != "ws_drop":
        socket.send(message)
        _let_go(socket)
        if kind == "ws_duplicate":
            socket.send(message)
        elif kind == "ws_replay":
            _later(_seconds(fault), lambda: socket.send(message))


def _let_go(socket: Socket) -> None:
    while socket.held:
        socket.send(socket.held.pop(0))


def _seconds(fault: Fault | None) -> float:
    return float(fault.params.get("ms", 500)) / 1000 if fault else 0


def _later(seconds: float, work: Any) -> None:
    asyncio.get_running_loop().call_later(seconds, work)
