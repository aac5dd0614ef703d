"""Sessions of people on pages.

Each is a row like a log-in through the APIs: it stands in the same lists, ends with the same acts
(password change, reset, disabling), and Django's session only carries its number.
"""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from users.models import AuthSession, User
from users.sessions import Device, open_session, revoke

from .authentication import request_address

SID, SEEN = "sid", "seen"
BACKEND = "users.backends.SessionBackend"
SECONDS_BETWEEN_NOTES = 60


def device_of(request: HttpRequest) -> Device:
    """Where a page's request came from."""
    agent = request.headers.get("user-agent", "")
    return Device(request_address(request), agent, {"surface": "pages"})


def open_page_session(request: HttpRequest, user: User) -> None:
    """Sign a person in who has proven to be one; the session's id changes."""
    pair = open_session(user=user, device=device_of(request))
    login(request, user, backend=BACKEND)
    request.session[SID] = str(pair.sid)
    request.session[SEEN] = int(time.time())
    request.session.set_expiry(settings.REFRESH_TTL_SECONDS)


def close_page_session(request: HttpRequest, *, reason: str = "logout") -> None:
    """Sign the person out; harmless when nobody is signed in."""
    sid = request.session.get(SID)
    session = AuthSession.objects.select_related("user").filter(sid=sid).first() if sid else None
    if session is not None:
        revoke(session, reason=reason, address=request_address(request))
    logout(request)


def has_ended(session: SessionBase) -> bool:
    """Whether the row behind a page's session was ended or ran out."""
    sid = session.get(SID)
    if sid is None:
        return False
    return not AuthSession.objects.live().filter(sid=sid).exists()


def is_idle(request: HttpRequest) -> bool:
    """Whether the last page was opened longer ago than the console allows."""
    seen = request.session.get(SEEN)
    limit = settings.ADMIN_IDLE_MINUTES * 60
    return seen is not None and time.time() - seen > limit


def note_activity(request: HttpRequest) -> None:
    """Remember that the person opened a page; what a page fetches by itself does not count."""
    mode: Any = request.headers.get("sec-fetch-mode", "navigate")
    if mode != "navigate" or "hx-request" in request.headers:
        return
    if time.time() - request.session.get(SEEN, 0) > SECONDS_BETWEEN_NOTES:
        request.session[SEEN] = int(time.time())
