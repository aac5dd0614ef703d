"""The door for alerts: asynchronous views that hold no thread while legs are on their way."""

import asyncio
import logging
import time
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from bots.models import Bot
from common.errors import BadJson, DomainError, NotFound, TooLarge
from common.ids import new_correlation_id
from surfaces.authentication import request_address, verified_subject
from surfaces.errors import database_error, error_response, framework_refusal
from surfaces.limits import begins_burst, note_forgery
from surfaces.lookups import find
from surfaces.management.dialect import ManagementView, envelope, stamped
from surfaces.policy import Policy, declares
from surfaces.turns import Turns
from surfaces.waiting import settled
from webhooks.authentication import Sender
from webhooks.dry_run import dry_run
from webhooks.models import Signal
from webhooks.refusals import NO_BOT, NotAuthentic, tell_of, tell_of_strangers
from webhooks.services import answer, answer_stored, is_unrouted, route, store

logger = logging.getLogger(__name__)

MAX_ALERT_BYTES = 8192
LONGEST_WAIT_SECONDS = 2.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.025, 0.1
CONTENT_TYPES = ("application/json", "text/plain")

# While their senders wait: more routings at once would keep other alerts from being stored.
ROUTED_AT_ONCE = 2
# With so many before it a signal is not waited for: the processor has alerts to store.
CROWD = 20
# Routing gives way to storing for so long at most.
LOOKS_FOR_CALM, CALM_PAUSE_SECONDS = 25, 0.02


def _take_in(*, sender: Sender, **alert: Any) -> Signal:
    """:func:`store`; what is not authentic is counted and, where it is a burst or was proven all
    the same, told. Raises what ``store`` raises, and TooMany for too many of them from an address.
    """
    try:
        return store(sender=sender, **alert)
    except NotAuthentic as refusal:
        for each in refusal.against:
            subject = f"{each.subject} {each.reason}"
            if begins_burst(subject, at_once=each.is_proven):
                tell_of(each, address=sender.address)
        if not refusal.against and begins_burst(NO_BOT):
            tell_of_strangers(address=sender.address)
        note_forgery(sender.address)
        raise


_store = database_sync_to_async(_take_in, thread_sensitive=False)
_route = database_sync_to_async(route, thread_sensitive=False)
_answer = database_sync_to_async(answer, thread_sensitive=False)
_look_for_route = database_sync_to_async(is_unrouted, thread_sensitive=False)


@declares({"POST": Policy.PUBLIC})
async def tradingview(request: HttpRequest, token: str | None = None) -> HttpResponse:
    """Take an alert as TradingView sends it; the bot's secret is the authentication.

    Stored before it is acted on. Answers within two seconds with what is known by then; a leg
    still on its way is ``pending``. 503 means that nothing was stored and a resend is safe.
    """
    if request.method != "POST":
        return framework_refusal(request, 405, Allow="POST")
    if not _is_alert(request):
        return framework_refusal(request, 415)
    started = time.monotonic()
    try:
        body = _alert(request)
        signal = await _entrance().store(
            body=body, headers=request.headers, token=token, sender=_sender(request)
        )
        deadline = started + min(settings.WEBHOOK_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
        if signal.is_duplicate or await _entrance().is_routed_by(signal, deadline):
            data = await _known_by(signal, deadline)
        else:
            data = answer_stored(signal)
    except DomainError as error:
        return error_response(request, error)
    except (OperationalError, InterfaceError) as error:
        return error_response(request, database_error(error))
    return JsonResponse(_answered(data))


class DoorTestView(ManagementView):
    """Whether the door is there, and what an alert would do."""

    policy = {"GET": Policy.PUBLIC, "POST": Policy.TRADE}
    query = {"POST": {"bot_id": "The bot that the alert is for, where its text names none."}}
    bodies = {"POST": {"type": "object", "description": "An alert as TradingView sends it."}}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Whoever only looks is answered before a credential or anything else is looked at."""
        if request.method in ("GET", "HEAD"):
            return self.get(request)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Says that the door is there; looks at nothing and stores nothing."""
        data = stamped({"correlation_id": new_correlation_id()})
        return JsonResponse(envelope("Webhook endpoint is operational", data))

    def post(self, request: Request) -> Response:
        """What each account would send and why it would not; nothing is stored or sent.

        The alert is read, routed, sized and checked by the code of the door itself; whether it
        would have been authentic is told, not demanded.
        """
        self.known_query()
        if not _is_alert(request._request):
            raise UnsupportedMediaType(request.content_type)
        named = request.query_params.get("bot_id")
        bots = Bot.objects.visible_to(self.principal)
        told = dry_run(
            principal=self.principal,
            body=_alert(request._request),
            headers=request.headers,
            bot=None if named is None else find(bots, named, what="bot"),
            sender=_sender(request._request),
        )
        sentence = f"{told.placing} of {len(told.legs)} accounts would place an order"
        if told.repeats:
            sentence = "This alert was delivered before and would not be repeated"
        data = stamped(told.as_json())
        return Response(envelope(f"{sentence}; nothing was sent", data, success=told.placing > 0))


class SignalView(ManagementView):
    """What became of a signal."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request, correlation_id: str) -> Response:
        """The state now, in the form of the webhook's own answer."""
        rows = Signal.objects.visible_to(self.principal)
        signal = rows.filter(correlation_id=correlation_id[:41]).first()
        if signal is None:
            raise NotFound("There is no such signal.", code="signal_not_found")
        return Response(_answered(answer(signal, reader=self.principal)))


def _sender(request: HttpRequest) -> Sender:
    return Sender(address=request_address(request), subject=verified_subject(request))


def _is_alert(request: HttpRequest) -> bool:
    """Whether the content type is one that TradingView sends."""
    return (request.content_type or "text/plain").lower() in CONTENT_TYPES


def _alert(request: HttpRequest) -> bytes:
    """The raw body; raises TooLarge before reading more than the limit."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length[:12]) > MAX_ALERT_BYTES:
        raise TooLarge(f"An alert has at most {MAX_ALERT_BYTES} bytes.")
    try:
        body: bytes = request.read(MAX_ALERT_BYTES + 1)
    except UnreadablePostError as error:
        raise BadJson("The body could not be read to its end.") from error
    if len(body) > MAX_ALERT_BYTES:
        raise TooLarge(f"An alert has at most {MAX_ALERT_BYTES} bytes.")
    return body


class Entrance:
    """What goes on in one loop: alerts that are being stored, and signals in their turns."""

    def __init__(self) -> None:
        self._storing = 0
        self._turns = Turns(ROUTED_AT_ONCE)

    async def store(self, **alert: Any) -> Signal:
        """:func:`webhooks.services.store`, in a thread."""
        self._storing += 1
        try:
            return await _store(**alert)
        finally:
            self._storing -= 1

    async def is_routed_by(self, signal: Signal, deadline: float) -> bool:
        """Have a signal routed in its turn, those of one bot in the order of their storing; whether
        nobody works on it any more. Raises Invalid.
        """
        is_crowded = self._turns.asked >= CROWD
        patience = 0.0 if is_crowded else max(deadline - time.monotonic(), 0.0)
        return await self._turns.run(signal.bot_id, partial(self._route, signal), patience)

    async def _route(self, signal: Signal) -> None:
        for _ in range(LOOKS_FOR_CALM):
            if not self._storing:
                break
            await asyncio.sleep(CALM_PAUSE_SECONDS)
        await _route(signal)


_entrances: WeakKeyDictionary[asyncio.AbstractEventLoop, Entrance] = WeakKeyDictionary()


def _entrance() -> Entrance:
    return _entrances.setdefault(asyncio.get_running_loop(), Entrance())


async def _known_by(signal: Signal, deadline: float) -> dict[str, Any]:
    """The answer once nothing is pending or the time is up; sleeps on the loop only."""
    pause = FIRST_PAUSE_SECONDS
    while await _is_unrouted(signal) and deadline - time.monotonic() > pause:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
    if signal.execution_id is not None and signal.state != Signal.State.FINISHED:
        await settled(signal.execution_id, max(deadline - time.monotonic(), 0.0))
    data: dict[str, Any] = await _answer(signal, 0)
    return data


async def _is_unrouted(signal: Signal) -> bool:
    return signal.execution_id is None and await _look_for_route(signal)


def _answered(data: dict[str, Any]) -> dict[str, Any]:
    reason = data.get("reason_code")
    if reason:
        message = data.get("message") or f"Signal refused: {reason}"
        return envelope(message, data, success=False)
    if data["error_count"] and not data["success_count"] and not data["pending"]:
        return envelope("No account executed the signal", data, success=False)
    return envelope("Signal processed successfully", data)
