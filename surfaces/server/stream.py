"""``/v1/stream``: the organisation's events as server-sent events, and tickets to open it."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.principals import authenticate
from common.errors import DomainError, Invalid, Unauthenticated
from common.principal import Principal
from events.stream import bounds
from surfaces.authentication import ACCESS_COOKIE, credential_of
from surfaces.errors import database_error, error_response, framework_refusal
from surfaces.limits import Bucket, admit_address, admit_caller
from surfaces.live.event_source import EventSource
from surfaces.live.handshake import Handshake, handshake_of_request, number_of
from surfaces.live.tickets import TICKET_SECONDS, issue, redeem
from surfaces.policy import Policy, declares
from surfaces.server.dialect import ServerView, shown_role, unstored
from surfaces.server.stream_events import gap, stream_channel, system
from users.models import Organisation

logger = logging.getLogger(__name__)

LAST_ID = "last-event-id"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Referrer-Policy": "no-referrer"}


class StreamTicketView(ServerView):
    """A ticket that opens the stream once, within a minute, in place of the caller's credential."""

    policy = Policy.AUTHENTICATED
    bucket = Bucket.STREAMS

    def post(self, request: Request) -> Response:
        """Shown once; the stream that it opens ends with the credential it was made with."""
        credential = credential_of(request.headers) or request.COOKIES.get(ACCESS_COOKIE, "")
        return unstored({"ticket": issue(credential), "expires_in": TICKET_SECONDS})


@dataclass(frozen=True, slots=True)
class _Opening:
    """Who opened a stream, and where it begins; ``told`` goes out first."""

    token: str
    principal: Principal
    start: int
    told: str


@declares({"GET": Policy.AUTHENTICATED})
async def stream(request: HttpRequest) -> HttpResponseBase:
    """Events after ``Last-Event-ID`` or ``?after_id=``, else from now on.

    It ends with the credential, which is a header, ``?token=``, ``?ticket=`` or the access cookie.
    A comment every 12 seconds keeps the line alive.
    """
    if request.method != "GET":
        return framework_refusal(request, 405, Allow="GET")
    handshake = handshake_of_request(request)
    try:
        opening = await _open_in_thread(handshake)
    except DomainError as error:
        return error_response(request, error)
    except (OperationalError, InterfaceError) as error:
        return error_response(request, database_error(error))
    source = EventSource(
        opening.token, opening.principal, handshake.address, stream_channel(), opening.start
    )
    return StreamingHttpResponse(
        _texts(opening.told, source), content_type="text/event-stream", headers=HEADERS
    )


async def _texts(told: str, source: EventSource) -> AsyncIterator[str]:
    """The greeting and the events; where the database goes away the client comes back by itself."""
    yield told
    try:
        async with aclosing(source.texts()) as texts:
            async for text in texts:
                yield text
    except DatabaseError:
        logger.exception("stream of events: the log could not be read; the client is let go")


def _open(handshake: Handshake) -> _Opening:
    """Let somebody in; raises DomainError, OperationalError."""
    admit_address(handshake.address, Bucket.STREAMS)
    token = redeem(handshake.ticket) if handshake.ticket else handshake.token
    if not token:
        raise Unauthenticated("A token is required.")
    principal = authenticate(token, address=handshake.address)
    Policy.AUTHENTICATED.check(principal)
    admit_caller(principal, Bucket.STREAMS)
    oldest, newest = bounds()
    start = _start_of(handshake, newest)
    organisation = Organisation.objects.visible_to(principal).get(pk=principal.organisation_id)
    told = system(
        "connected",
        newest if start is None else start,
        user_id=str(principal.user_uuid),
        org_id=str(organisation.uuid),
        role=shown_role(principal.role),
        newest_id=newest,
    )
    if start is None or start < oldest:
        told += gap(oldest, newest, newest if start is None else oldest)
    return _Opening(token, principal, newest if start is None else start, told)


def _start_of(handshake: Handshake, newest: int) -> int | None:
    """The number to go on from; None where a client comes back with one that is none of the log.

    Such a client is told of a gap: a refusal would keep it from trying again. Raises Invalid for a
    bad ``?after_id=``.
    """
    last, asked = handshake.headers.get(LAST_ID, ""), handshake.after_id
    number = number_of(last or asked or "")
    is_known = number is not None and number <= newest
    if last:
        return number if is_known else None
    if asked is None:
        return newest
    if not is_known:
        reason = "is not a number of this log"
        raise Invalid("The stream cannot begin there.", fields={"after_id": reason})
    return number


_open_in_thread = database_sync_to_async(_open, thread_sensitive=False)
