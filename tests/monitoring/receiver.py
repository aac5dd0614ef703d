"""A receiver of messages on this machine, as a webhook would be."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import PAUSE


@dataclass
class Receiver:
    """What came, and what is answered: a status, or something that never ends."""

    port: int = 0
    status: int = 200
    location: str = ""
    drips: bool = False
    bodies: list[dict[str, Any]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """Its Apprise address, with a path that is a secret."""
        return f"json://127.0.0.1:{self.port}/hook-MARKERpath"

    @property
    def told(self) -> list[tuple[str, str]]:
        """Titles and first lines, in the order they came."""
        return [(body["title"], body["message"].splitlines()[0]) for body in self.bodies]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            receiver.bodies.append(json.loads(self.rfile.read(length)))
            while receiver.drips and not receiver.closing.wait(PAUSE):
                self.wfile.write(b".")
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no fault of the test."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver at a free port of the loopback address."""
    receiver = Receiver()
    server = _Server(("127.0.0.1", 0), _handler(receiver))
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
