"""Connections to addresses that somebody else chose: limited in time, and never into the network
this machine stands in unless the operator allows it.

A name is looked at where it leads when the connection is made, so that neither a redirect nor a
name that changes its address (DNS rebinding) gets around it, whichever library connects.
"""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from common.addresses import is_public


class NotAllowed(OSError):
    """The connection leads to an address that may not be called, or comes after the time is up."""


class Outing:
    """The connections of one piece of work. ``was_refused``: one would have led into the private
    network; ``is_over``: the time was up before the work was done.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self.was_refused = False
        self.is_over = False
        self._allow_private = allow_private
        self._guard = threading.Lock()
        self._handles: list[socket.socket] = []

    def admit(self, made: socket.socket, address: Any) -> None:
        """Raise NotAllowed unless the socket may connect to this address."""
        host = address[0] if isinstance(address, tuple) else ""
        if not (self._allow_private or is_public(str(host))):
            self.was_refused = True
            raise NotAllowed("an address of the private network")
        with self._guard:
            if self.is_over:
                raise NotAllowed("the time is up")
            # A handle of our own: libraries that speak TLS give the socket's away.
            self._handles.append(socket.socket(fileno=os.dup(made.fileno())))

    def hang_up(self) -> None:
        """Cut every connection, which ends whatever waits for it, and let no new one be made."""
        with self._guard:
            self.is_over = True
            for handle in self._handles:
                with suppress(OSError):  # not connected yet, or closed by the other side
                    handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the handles back."""
        for handle in self._handles:
            handle.close()


_current: ContextVar[Outing | None] = ContextVar("outing", default=None)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    outing = _current.get()
    if outing is not None:
        outing.admit(*arguments)


# Told of every connection this process makes, before it is made; it stays for the process's life.
sys.addaudithook(_look)


@contextmanager
def outing(*, seconds: float, allow_private: bool) -> Iterator[Outing]:
    """Every connection that this thread makes inside is looked at, and all of them are cut after
    ``seconds``. What is refused or cut raises an OSError in the library that connects.
    """
    found = Outing(allow_private=allow_private)
    clock = threading.Timer(seconds, found.hang_up)
    clock.daemon = True
    token = _current.set(found)
    clock.start()
    try:
        yield found
    finally:
        clock.cancel()
        clock.join()
        _current.reset(token)
        found.close()
