"""The live channel of 000: ``/ws``, one account's events, commands and answers."""

from collections.abc import Callable
from functools import partial
from typing import Any

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError

from common.clock import iso, now
from common.errors import DomainError, Invalid, NotFound
from common.principal import READ, Principal
from events.models import Event
from surfaces.command import frames
from surfaces.command.ccxt_calls import answer_to
from surfaces.command.commands import done
from surfaces.command.dialect import account_of
from surfaces.errors import database_error
from surfaces.limits import Bucket
from surfaces.live.feed import Frame
from surfaces.live.handshake import number_of
from surfaces.live.refusals import FOREIGN, NOT_AUTHENTICATED, REFUSED_HEADERS, Refused
from surfaces.live.socket import LiveSocket, admit_in_thread
from surfaces.live.stream import Channel

HELLO = "server-hello"

_account_of = database_sync_to_async(account_of, thread_sensitive=False)
_done = database_sync_to_async(done, thread_sensitive=False)


class CommandSocket(LiveSocket):
    """A client of one account, named by its headers.

    All events about the account come from the start; ``subscribe`` narrows them to namespaces.
    """

    account_id = 0
    _account = _after = ""

    async def opened(self) -> None:
        """Enter by the headers; whatever is wrong with them closes with 1008.

        A browser, which cannot send them, opens ``?auth=message`` and says in its first message
        what they would.
        """
        headers = self.handshake.headers
        token = "" if self.handshake.by_cookie else self.handshake.token
        if token or not self.handshake.by_message:
            account, after = headers.get("x-account-id", ""), headers.get("x-after-id", "")
            await self.receive_safely(self._enter_as(token, account, after))

    async def enter_by_message(self, message: dict[str, Any]) -> None:
        """``{"action": "auth", "payload": {"api_key", "account_id", "after_id"?}}``."""
        payload = message.get("payload")
        if message.get("action") != "auth" or not isinstance(payload, dict):
            raise Refused(REFUSED_HEADERS)
        words = (payload.get(name, "") for name in ("api_key", "account_id", "after_id"))
        key, account, after = (str(word) if type(word) in (str, int) else "?" for word in words)
        await self._enter_as(key, account, after)

    async def _enter_as(self, token: str, account: str, after: str) -> None:
        self._account, self._after = account, after
        if not token:
            raise Refused(REFUSED_HEADERS)
        try:
            await self.enter(token)
        except Refused as refusal:
            if refusal.code in (NOT_AUTHENTICATED, FOREIGN):
                raise Refused(REFUSED_HEADERS) from refusal
            raise

    async def begin(self, principal: Principal) -> None:
        """Find the account, which must be one that the key may read."""
        number = number_of(self._account)
        if number is None:
            raise Refused(REFUSED_HEADERS)
        try:
            self.account_id = (await _account_of(principal, number)).pk
        except NotFound as error:
            raise Refused(REFUSED_HEADERS) from error
        await super().begin(principal)

    def admit(self, principal: Principal) -> None:
        """The account must still be one that the key may read; raises Refused."""
        super().admit(principal)
        if self.account_id and not principal.may(READ, self.account_id):
            raise Refused(FOREIGN)

    def start_of(self, oldest: int, current: int) -> int | None:
        """After ``x-after-id``, else from now; raises Refused."""
        number = number_of(self._after)
        if self._after and (number is None or number > current):
            raise Refused(REFUSED_HEADERS)
        return number

    async def entered(self, current: int) -> None:
        """Say hello with the number that the events to come are later than, and serve them."""
        if self.stream is None:
            return
        start = self.stream.last_id
        payload = {"account_id": self.account_id, "newest_id": current, "timestamp": iso(now())}
        await self.emit({**frames.event(frames.SYSTEM, "connected", payload, start), "id": HELLO})
        for name in frames.NAMESPACES:
            self.stream.serve(self._channel(name))

    def _channel(self, namespace: str) -> Channel:
        topics = frozenset({f"account:{self.account_id}"})
        frame = partial(_frame, namespace)
        return Channel(namespace, frame, shared=("000", namespace), topics=topics)

    def ping_frame(self) -> None:
        """000 has no ping of the server; the protocol's own keeps the line alive."""

    def gap_frame(self, oldest: int, current: int) -> Frame:
        """Says what is not kept any more."""
        payload = {"oldest_id": oldest, "newest_id": current}
        return {**frames.event(frames.SYSTEM, "gap", payload, oldest), "oldest_id": oldest}

    def error_frame(self, code: str, message: str) -> Frame:
        """A refusal that belongs to no request."""
        return frames.refusal({}, DomainError(message, code=code))

    async def act(self, message: dict[str, Any]) -> None:
        """One request; a fault of its form counts, a refusal does not."""
        match (message.get("namespace"), message.get("action")):
            case (_, "ping"):
                self.say(frames.response(message, "pong", {"pong": True, "timestamp": iso(now())}))
            case (_, "subscribe"):
                self._subscribe(message)
            case ("position", "command"):
                await self._command(message)
            case ("ccxt", "call"):
                await self._call(message)
            case _:
                unknown = Invalid("There is no such action.", code="unknown_action")
                self.say_fault(frames.refusal(message, unknown))

    def _subscribe(self, message: dict[str, Any]) -> None:
        payload = message.get("payload")
        named = payload.get("namespaces") if isinstance(payload, dict) else None
        wanted = list(frames.NAMESPACES) if named is None else named
        if not isinstance(wanted, list) or not all(name in frames.NAMESPACES for name in wanted):
            error = Invalid(
                "There is no such namespace.",
                code="unknown_namespace",
                fields={"namespaces": f"some of {', '.join(frames.NAMESPACES)}"},
            )
            self.say_fault(frames.refusal(message, error))
            return

        async def job() -> None:
            if self.stream is None:
                return
            for name in frames.NAMESPACES:
                if name in wanted:
                    self.stream.serve(self._channel(name))
                else:
                    self.stream.unsubscribe(name)
            served = [name for name in frames.NAMESPACES if name in wanted]
            answer = {"namespaces": served, "event_id": self.stream.last_id}
            await self.emit(frames.response(message, "subscribed", answer))

        self.writer.do(job)

    async def _command(self, message: dict[str, Any]) -> None:
        """Do a command, or a list of them, as ``POST /position/commands`` does."""
        work = partial(_done, account_id=self.account_id)
        await self._answer(message, "command_result", Bucket.SAFETY, work)

    async def _call(self, message: dict[str, Any]) -> None:
        """Call one of ccxt's functions for the account, as ``/ccxt/{account_id}/{func}`` does."""
        work = partial(_called, account_id=self.account_id)
        await self._answer(message, "call_result", Bucket.CALLS, work)

    async def _answer(
        self, message: dict[str, Any], name: str, bucket: Bucket, work: Callable[..., Any]
    ) -> None:
        """Say what the payload's work comes to, or why it was refused. The key is looked up anew:
        one that was revoked does nothing any more, however lately.
        """
        principal = await self.look_up(self.token)
        self.renew(self.token, principal)
        try:
            await admit_in_thread(principal, bucket)
            payload = await work(principal, message.get("payload"))
        except DomainError as error:
            self.say(frames.refusal(message, error))
        except (OperationalError, InterfaceError) as error:
            self.say(frames.refusal(message, database_error(error)))
        else:
            self.say(frames.response(message, name, payload))


@partial(database_sync_to_async, thread_sensitive=False)
def _called(principal: Principal, given: Any, *, account_id: int) -> dict[str, Any]:
    """The result of ``{func, args?, kwargs?}`` for the connection's account; raises DomainError."""
    if not isinstance(given, dict):
        raise Invalid("A call must be a JSON object.")
    if given.get("account_id", account_id) != account_id:
        raise Invalid(
            "The call is not acceptable.",
            fields={"account_id": "is not the account of this connection"},
        )
    answer = answer_to(principal, {**given, "account_id": account_id})
    return {"ok": True, "result": answer.result, **answer.notes}


def _frame(namespace: str, entry: Event) -> Frame | None:
    return frames.of_log(entry) if frames.namespace_of(entry.kind) == namespace else None
