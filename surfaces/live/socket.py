"""The socket that every dialect's live channel is made of: entry, limits, one writer, the end."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from accounts.principals import authenticate
from common.errors import DomainError, TooMany, Unauthenticated, Unavailable
from common.principal import Principal
from common.strict_json import parse_strictly
from surfaces.limits import Bucket, admit_address, admit_caller
from surfaces.policy import Policy

from . import feed
from .dialect import SocketDialect
from .frame_limits import FrameLimits, is_too_big
from .handshake import read_handshake, seconds_left
from .refusals import (
    BAD_REQUEST,
    BROKEN,
    FOREIGN,
    NOT_AUTHENTICATED,
    SLOW,
    TOO_BIG,
    TOO_FAST,
    Refused,
)
from .stream import EventStream, topics_of_credential
from .tickets import redeem
from .writer import Writer

logger = logging.getLogger(__name__)

AUTH_SECONDS = 5.0
PING_SECONDS = 30.0
# A credential is looked up again soon after the entry, in case it ended meanwhile, then seldom: its
# end is an event of the log.
FIRST_CHECK_SECONDS, CHECK_SECONDS = 3.0, 30.0

authenticate_in_thread = database_sync_to_async(authenticate, thread_sensitive=False)
redeem_in_thread = sync_to_async(redeem, thread_sensitive=False)
admit_in_thread = sync_to_async(admit_caller, thread_sensitive=False)


class LiveSocket(SocketDialect, AsyncWebsocketConsumer):
    """One client's connection.

    What is sent, and what changes the stream, is done by one task, in order. The server makes a
    ``send`` wait while the client does not take what was sent (``tradingplatform.embedded``); a
    client that lets too much come meanwhile is cut. A dialect overrides the methods of
    ``SocketDialect``, and how a client enters.
    """

    # The feeds listen for all connections, so a connection needs no channel of its own.
    channel_layer_alias = "none"
    policy = Policy.AUTHENTICATED
    ping_seconds = PING_SECONDS

    async def connect(self) -> None:
        """Accept, then authenticate; close codes reach a client only after the handshake."""
        self.principal: Principal | None = None
        self.stream: EventStream | None = None
        self.token = ""
        self.handshake = read_handshake(self.scope)
        self._limits = FrameLimits()
        self._ended = self._is_doubtful = False
        self.writer = Writer(self.send, self._cut)
        self._ping_at = time.monotonic() + self.ping_seconds
        self._check_at = self._deadline = time.monotonic() + AUTH_SECONDS
        await self.accept()
        self._writing = asyncio.create_task(self._write())
        await self.opened()

    async def disconnect(self, code: int) -> None:
        """End this connection's task and leave the feed."""
        self._ended = True
        if self._writing is not asyncio.current_task():
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        if self.principal is not None:
            await feed.leave(self.principal.organisation_id, self)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """One frame of the client."""
        if self._ended:
            return
        try:
            await self._take(text_data, bytes_data)
        except Refused as refusal:
            self.refuse(refusal)
        except DatabaseError:
            self._broken()

    async def _take(self, text: str | None, binary: bytes | None) -> None:
        if self._limits.is_too_fast():
            raise Refused(TOO_FAST)
        if is_too_big(text, binary, is_known=self.stream is not None):
            raise Refused(TOO_BIG)
        try:
            raw = b"" if text is None else text.encode("utf-8", "surrogatepass")
            message = parse_strictly(raw)
        except DomainError:
            message = None
        if self.stream is None:
            if not self.token:
                await self.enter_by_message(message if isinstance(message, dict) else {})
        elif self.accepts(message):
            await self.act(message)
        else:
            self.fault("invalid_json", "The frame is not JSON of the right kind.")

    # -- what the feed tells ----------------------------------------------------------------

    def news(self, count: int) -> None:
        """More can be read; a client that takes nothing meanwhile is cut."""
        self.writer.news(count)

    def doubt(self, topics: frozenset[str]) -> None:
        """Look the credential up again where it is the one that has ended."""
        principal = self.principal
        if principal and not topics.isdisjoint(topics_of_credential(principal)):
            self._is_doubtful = True
            self.writer.wake.set()

    # -- entering ---------------------------------------------------------------------------

    async def opened(self) -> None:
        """The connection stands; enter by the handshake's credential, if it brought one."""
        if self.handshake.ticket:
            await self.receive_safely(self._enter_by_ticket(self.handshake.ticket))
        elif self.handshake.token:
            await self.receive_safely(self.enter(self.handshake.token))

    async def _enter_by_ticket(self, ticket: str) -> None:
        await self._demand_room(admit_address, self.handshake.address)
        try:
            token = await redeem_in_thread(ticket)
        except Unauthenticated as error:
            raise Refused(NOT_AUTHENTICATED) from error
        except Unavailable as error:
            raise Refused(BROKEN) from error
        await self._enter(token)

    async def enter_by_message(self, message: dict[str, Any]) -> None:
        """Enter by the first message, which has to bring the token; raises Refused."""
        if message.get("type") != "auth" or not isinstance(message.get("token"), str):
            raise Refused(NOT_AUTHENTICATED)
        await self.enter(message["token"])

    async def enter(self, token: str) -> None:
        """Authenticate, join the feed, and go on in the writer. Raises Refused, DatabaseError."""
        await self._demand_room(admit_address, self.handshake.address)
        await self._enter(token)

    async def _enter(self, token: str) -> None:
        if self.handshake.by_cookie and not self.handshake.same_origin:
            raise Refused(FOREIGN)
        self.token = token
        principal = await self.look_up(token)
        await self._demand_room(admit_caller, principal)
        self.admit(principal)
        await self.begin(principal)

    async def _demand_room(self, admit: Callable[[Any, Bucket], None], who: Any) -> None:
        """Count the opening; an address is counted before its credential is looked up."""
        try:
            await sync_to_async(admit, thread_sensitive=False)(who, Bucket.STREAMS)
        except TooMany as error:
            raise Refused(TOO_FAST, error.message) from error

    async def begin(self, principal: Principal) -> None:
        """Join the feed of somebody who was let in."""
        joined = await feed.join(principal.organisation_id, self)
        self.principal = principal
        oldest, current = await feed.current_bounds()
        resume_from = self.start_of(oldest, current)
        last_id = current if resume_from is None else resume_from
        self.stream = EventStream(
            principal, joined, self.writer.send_text, last_id=last_id, resume_from=resume_from
        )
        self._check_at = time.monotonic() + FIRST_CHECK_SECONDS
        self._deadline = self._expiry()
        self.writer.do(lambda: self._greet(oldest, current, last_id))

    async def look_up(self, token: str) -> Principal:
        """The caller behind a token; raises Refused."""
        try:
            return await authenticate_in_thread(token, address=self.handshake.address)
        except Unauthenticated as error:
            raise Refused(NOT_AUTHENTICATED) from error

    def renew(self, token: str, principal: Principal) -> None:
        """Go on with another token of the same user; raises Refused."""
        old = self.principal
        if old is None or (old.organisation_id, old.user_id) != (
            principal.organisation_id,
            principal.user_id,
        ):
            raise Refused(FOREIGN)
        self.admit(principal)
        self.token, self.principal = token, principal
        self._deadline = self._expiry()
        if self.stream is not None:
            self.stream.principal = principal
        self.writer.wake.set()

    def give(self, seconds: float) -> None:
        """From now on the client has so long to do what :meth:`expired` asked for."""
        self._deadline = time.monotonic() + seconds

    def _expiry(self) -> float:
        left = seconds_left(self.token)
        return float("inf") if left is None else time.monotonic() + left

    async def _greet(self, oldest: int, current: int, last_id: int) -> None:
        await self.entered(current)
        if last_id < oldest:
            await self.emit(self.gap_frame(oldest, current))

    # -- writing ----------------------------------------------------------------------------

    def say(self, frame: feed.Frame) -> None:
        """Let the writer send a frame after what waits already."""
        self.writer.say(frame)

    def fault(self, code: str, message: str) -> None:
        """Answer with an error frame; the tenth within a minute ends the connection."""
        self.say_fault(self.error_frame(code, message))

    def say_fault(self, frame: feed.Frame) -> None:
        """As :meth:`fault`, with the dialect's own frame; raises Refused."""
        self.say(frame)
        if self._limits.is_too_faulty():
            raise Refused(BAD_REQUEST)

    async def emit(self, frame: feed.Frame) -> None:
        """Send a frame now; for jobs of the writer."""
        await self.writer.emit(frame)

    async def _write(self) -> None:
        """Do the jobs, read the log on, look after the session; until the end."""
        try:
            while True:
                self.writer.wake.clear()
                await self.writer.work()
                await self._read_on()
                await self.writer.rest(self._rest())
        except Refused as refusal:
            await self._end(refusal)
        except DatabaseError:
            logger.exception("live channel: the database does not answer")
            await self._end(Refused(BROKEN))

    async def _read_on(self) -> None:
        """Look after the session and give what is new; a database that is away is waited for."""
        try:
            await self._tend()
            if self.stream is not None and self.is_streaming():
                await self.stream.catch_up()
                await self.write_more()
        except DatabaseError:
            logger.exception("live channel: the log could not be read; trying again")
            await asyncio.sleep(feed.LOOK_SECONDS)
            self.writer.wake.set()

    def _rest(self) -> float:
        """Seconds until something is due without being asked for."""
        due = min(self._deadline, self._check_at)
        if self.stream is not None:
            due = min(due, self._ping_at)
        return max(due - time.monotonic(), 0.01)

    async def _tend(self) -> None:
        """End what is not authenticated in time, look credentials up again, keep the line alive."""
        moment = time.monotonic()
        if self.stream is None:
            if moment >= self._deadline:
                raise Refused(NOT_AUTHENTICATED)
            self._check_at = float("inf")
            return
        if moment >= self._deadline:
            await self.expired()
        elif self._is_doubtful or moment >= self._check_at:
            await self._check()
        if moment >= self._ping_at:
            self._ping_at = moment + self.ping_seconds
            frame = self.ping_frame()
            if frame is not None:
                await self.emit(frame)

    async def _check(self) -> None:
        """Look the caller up again; a right that was taken away ends with this look."""
        self._is_doubtful = False
        self._check_at = time.monotonic() + CHECK_SECONDS
        if not self.is_streaming():
            return
        try:
            principal = await authenticate_in_thread(self.token, address=self.handshake.address)
        except Unauthenticated as error:
            if error.code != "token_expired":
                raise Refused(NOT_AUTHENTICATED) from error
            await self.expired()
        else:
            self.renew(self.token, principal)

    # -- the end ----------------------------------------------------------------------------

    async def receive_safely(self, work: Awaitable[None]) -> None:
        """Run a step outside the writer; what it raises becomes a close code."""
        try:
            await work
        except Refused as refusal:
            self.refuse(refusal)
        except DatabaseError:
            self._broken()

    def refuse(self, refusal: Refused) -> None:
        """End the connection after what waits to be sent."""
        self.writer.do(lambda: self._raise(refusal))

    def _broken(self) -> None:
        logger.exception("live channel: the database does not answer")
        self.refuse(Refused(BROKEN))

    async def _raise(self, refusal: Refused) -> None:
        raise refusal

    def _cut(self) -> None:
        """End a connection whose client does not read: nothing that waits is sent any more."""
        if not self._ended:
            self._ended = True
            self._writing.cancel()
            self._closing = asyncio.create_task(self.close(SLOW))

    async def _end(self, refusal: Refused) -> None:
        if self._ended:
            return
        self._ended = True
        if refusal.message:
            await self.emit(self.error_frame("refused", refusal.message))
        await self.close(refusal.code)
