"""The HTTP and WebSocket server with a shutdown that lets running requests finish.

Daphne's own signal handling stops the reactor at once: a client whose request waits for an exchange
would lose the answer. Python runs signal handlers in the main thread only, so the server owns it.
"""

import logging
import signal
import time
from types import FrameType
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor

from .backpressure import Gate, gate_of_response, gate_of_socket, let_go

logger = logging.getLogger(__name__)
DRAIN_SECONDS = 10.0
POLL_SECONDS = 0.05
MAX_FRAME_BYTES = 65_536
# A client of a stream that takes nothing for so long is dropped.
STALLED_SECONDS = 30.0
CLOSE_SECONDS = 5.0
# Codes that the WebSocket library keeps for itself although an endpoint may send them (RFC 6455).
STANDARD_CODES = frozenset({1001, 1008, 1009, 1011, 1013})
EVENT_STREAM = b"text/event-stream"


class DrainingServer(Server):
    """Serves until a signal; then stops listening, drains requests, closes sockets, returns."""

    def __init__(self, application: Any, host: str, port: int) -> None:
        super().__init__(
            application,
            endpoints=build_endpoint_description_strings(host=host, port=port),
            signal_handlers=False,
            http_timeout=60,
            websocket_max_message_size=MAX_FRAME_BYTES,
            websocket_max_frame_size=MAX_FRAME_BYTES,
            ready_callable=self._prepare_sockets,
            server_name="trading-platform",
        )
        self._ports: list[Any] = []
        self._draining = False
        self._give_up_at = 0.0
        self.failed_to_listen = False

    def serve(self) -> None:
        """Block until a signal has asked for the end and the last request is answered."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self.run()

    def listen_success(self, port: Any) -> None:
        """Remember the listening port, so that it can be closed before the rest."""
        self._ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        """Remember that the address could not be taken, and stop."""
        self.failed_to_listen = True
        super().listen_error(failure)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Hand a reply to its connection; on a stream, wait until the client takes more.

        A client that takes nothing for 30 s is dropped.
        """
        gate: Gate | None = self.connections.get(protocol, {}).get("gate")
        kind = message["type"]
        if kind == "websocket.close" and message.get("code") in STANDARD_CODES:
            _close(protocol, message["code"])
            return
        if kind == "http.response.body" and gate and not message.get("more_body"):
            let_go(protocol)
        await super().handle_reply(protocol, message)
        if gate is None:
            self._put_gate(protocol, message)
        elif not gate.is_open:
            try:
                await gate.wait(STALLED_SECONDS)
            except TimeoutError:
                protocol.transport.abortConnection()

    def timeout_checker(self) -> None:
        """As Daphne's, but a stream of events has no longest time."""
        for protocol, details in list(self.connections.items()):
            if not _is_event_stream(protocol, details):
                protocol.check_timeouts()
        reactor.callLater(2, self.timeout_checker)  # type: ignore[attr-defined]

    def kill_all_applications(self) -> Any:
        """Cancel what still runs; idle keep-alive connections have nothing to cancel."""
        idle = [key for key, details in self.connections.items() if _is_idle(details)]
        for key in idle:
            del self.connections[key]
        return super().kill_all_applications()

    def _prepare_sockets(self) -> None:
        """Say why before a connection is dropped, and leave the client time to read it."""
        self.ws_factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=CLOSE_SECONDS)

    def _put_gate(self, protocol: Any, message: dict[str, Any]) -> None:
        details = self.connections.get(protocol)
        if details is None or "disconnected" in details:
            return
        if message["type"] == "websocket.accept" and protocol.transport is not None:
            details["gate"] = gate_of_socket(protocol)
        elif message["type"] == "http.response.start" and _says_event_stream(message):
            details["gate"] = gate_of_response(protocol)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(self._begin_to_stop)  # type: ignore[attr-defined]

    def _begin_to_stop(self) -> None:
        if self._draining:
            return
        self._draining = True
        self._give_up_at = time.monotonic() + DRAIN_SECONDS
        logger.info("Stopping: no new requests, waiting for those that run")
        for port in self._ports:
            port.stopListening()
        self._stop_when_drained()

    def _stop_when_drained(self) -> None:
        waiting = sum(
            isinstance(key, WebRequest)
            and not _is_idle(details)
            and not _is_event_stream(key, details)
            for key, details in self.connections.items()
        )
        if waiting and time.monotonic() < self._give_up_at:
            reactor.callLater(POLL_SECONDS, self._stop_when_drained)  # type: ignore[attr-defined]
            return
        if waiting:
            logger.warning("Stopping with %s requests unanswered", waiting)
        self.stop()


def _is_idle(details: dict[str, Any]) -> bool:
    instance = details.get("application_instance")
    return instance is None or instance.done()


def _close(protocol: Any, code: int) -> None:
    """Close with a code that the library would not send for an application."""
    if protocol.state == WebSocketProtocol.STATE_OPEN:
        protocol.sendCloseFrame(code=code)
    elif protocol.state == WebSocketProtocol.STATE_CONNECTING:
        protocol.serverReject()


def _says_event_stream(message: dict[str, Any]) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(EVENT_STREAM)
        for name, value in message.get("headers", ())
    )


def _is_event_stream(protocol: Any, details: dict[str, Any]) -> bool:
    return isinstance(protocol, WebRequest) and "gate" in details
