"""``/ws/v1``: one socket for the messages of several specifications, each told by its ``type``.

A surface registers what it takes (:func:`takes`); entering, staying and resuming are here.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from django.urls import re_path

from common.clock import iso, now
from common.errors import DomainError, Invalid, Unavailable
from surfaces.error_bodies import VERSION, union_body
from surfaces.live.feed import Frame
from surfaces.live.handshake import number_of
from surfaces.live.refusals import BAD_REQUEST, NOT_AUTHENTICATED, Refused
from surfaces.live.resuming import resume
from surfaces.live.socket import LiveSocket
from surfaces.live.stream import Channel

MAX_CHANNELS = 200
RENEW_SECONDS = 30.0
PING_SECONDS = 20.0

Message = dict[str, Any]
Handler = Callable[["SharedSocket", Message], Awaitable[None]]
_handlers: dict[str, Handler] = {}


def takes(kind: str, handler: Handler) -> None:
    """Let a handler answer the messages of a ``type``; a second one for it is a fault of ours.

    A handler raises DomainError for what it refuses.
    """
    if _handlers.setdefault(kind, handler) is not handler:
        raise ValueError(f"two handlers for messages of type {kind}")


class SharedSocket(LiveSocket):
    """A client that authenticates by header or by its first message.

    ``leaving`` is what has to be done when the connection ends.
    """

    ping_seconds = PING_SECONDS
    _resume_from: Any = None
    _has_expired = False

    async def connect(self) -> None:
        """As every live socket."""
        self.leaving: list[Callable[[], None]] = []
        self.state: dict[str, Any] = {}
        self.senders: list[Callable[[], Awaitable[None]]] = []
        await super().connect()

    async def disconnect(self, code: int) -> None:
        """Undo what handlers began."""
        for leave in self.leaving:
            leave()
        await super().disconnect(code)

    # -- entering and staying ---------------------------------------------------------------

    async def enter_by_message(self, message: Message) -> None:
        """``{"type": "auth", "token", "resume_from"?}``; raises Refused."""
        self._resume_from = message.get("resume_from")
        await super().enter_by_message(message)

    def start_of(self, oldest: int, current: int) -> int | None:
        """After ``resume_from`` of the first message, else ``?after_id=``; raises Refused."""
        if self._resume_from is None:
            return super().start_of(oldest, current)
        number = number_of(str(self._resume_from))
        if isinstance(self._resume_from, bool) or number is None or number > current:
            raise Refused(BAD_REQUEST, "resume_from is not a number of this log")
        return number

    async def entered(self, current: int) -> None:
        """Say who is connected, and the number that events to come are later than."""
        start = current if self.stream is None else self.stream.last_id
        await self.emit(self._authenticated(start))

    def _authenticated(self, event_id: int, message: Message | None = None) -> Frame:
        principal = self.principal
        user_id = str(principal.user_id) if principal else ""
        role = principal.role if principal else ""
        return self.answer(
            message or {},
            {"user_id": user_id, "role": role},
            status="authenticated",
            event_id=event_id,
        )

    async def expired(self) -> None:
        """Ask for a new token; without one the connection ends 30 seconds later."""
        if self._has_expired:
            raise Refused(NOT_AUTHENTICATED)
        self._has_expired = True
        self.give(RENEW_SECONDS)
        await self.emit({"type": "auth_expired", "seconds": RENEW_SECONDS, "timestamp": iso(now())})

    def is_streaming(self) -> bool:
        """Nothing is told on an expired token."""
        return not self._has_expired

    async def _renew(self, message: Message) -> None:
        token = message.get("token")
        if not isinstance(token, str):
            raise Refused(NOT_AUTHENTICATED)
        principal = await self.look_up(token)
        self.renew(token, principal)
        self._has_expired = False
        self.say(self._authenticated(self.stream.last_id if self.stream else 0, message))

    # -- messages ---------------------------------------------------------------------------

    async def act(self, message: Message) -> None:
        """Hand a message to whoever takes its type."""
        kind = message.get("type")
        if kind == "auth":
            await self._renew(message)
            return
        if self._has_expired:
            self.fault("auth_expired", "Authenticate again first.")
            return
        match kind:
            case "ping":
                self.say({"type": "pong", "timestamp": iso(now()), **_echo(message)})
            case "pong":
                return
            case "resume":
                await resume(self, message.get("after_id"), name="after_id")
            case _:
                await self._hand_over(message)

    async def _hand_over(self, message: Message) -> None:
        kind = message.get("type")
        handler = _handlers.get(kind) if isinstance(kind, str) else None
        try:
            if handler is None:
                raise Invalid("There is no such message type.", code="unknown_type")
            await handler(self, message)
        except Unavailable as error:
            self.say(self._refusal(error, message))
        except DomainError as error:
            self.say_fault(self._refusal(error, message))

    def serve(self, channel: Channel, answer: Frame) -> None:
        """Serve a channel after its answer, and what it missed since the client's number."""

        async def job() -> None:
            if self.stream is None:
                return
            if self.stream.channel_count >= MAX_CHANNELS:
                self.fault("too_many_channels", f"At most {MAX_CHANNELS} subscriptions.")
            else:
                await self.stream.subscribe(channel, answer, self.emit)

        self.writer.do(job)

    def drop(self, name: str, answer: Frame) -> None:
        """Serve a channel no longer."""

        async def job() -> None:
            if self.stream is not None:
                self.stream.unsubscribe(name)
            await self.emit(answer)

        self.writer.do(job)

    async def write_more(self) -> None:
        """Send what handlers have beside the log."""
        for send in self.senders:
            await send()

    # -- frames -----------------------------------------------------------------------------

    def answer(self, message: Message, data: dict[str, Any], **keys: Any) -> Frame:
        """An answer in 002's envelope, which a client of 004 can read too."""
        own = {"type": "response", "version": VERSION, "timestamp": iso(now())}
        return {**own, **keys, "data": data, **_echo(message)}

    def error_frame(self, code: str, message: str) -> Frame:
        """A refusal that belongs to no message."""
        return self._refusal(DomainError(message, code=code), {})

    def _refusal(self, error: DomainError, message: Message) -> Frame:
        return {**union_body(None, error), "code": error.code, **_echo(message)}


def _echo(message: Message) -> dict[str, Any]:
    """The client's own number of a message, where it gave one."""
    number = message.get("id")
    return {"id": number} if type(number) in (str, int) else {}


websocket_urlpatterns = [re_path(r"^ws/v1/?$", SharedSocket.as_asgi())]
