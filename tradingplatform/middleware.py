"""A request id on every answer; Django's classic middleware limited to the pages that need it."""

import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from asgiref.sync import iscoroutinefunction, sync_to_async
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.gzip import GZipMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.decorators import sync_and_async_middleware

from surfaces.authentication import request_address

logger = logging.getLogger("tradingplatform.access")

REQUEST_ID_HEADER = "X-Request-ID"
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")


def is_page(request: HttpRequest) -> bool:
    """Whether the path belongs to pages with sessions, forms and scripts."""
    return request.path_info.startswith(settings.PAGE_PREFIXES)


def _begin(request: HttpRequest) -> str:
    offered = request.headers.get(REQUEST_ID_HEADER, "")
    request_id = offered if _ACCEPTABLE_ID.match(offered) else uuid.uuid4().hex
    request.request_id = request_id  # type: ignore[attr-defined]
    request.began_at = time.monotonic()  # type: ignore[attr-defined]
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    return request_id


def _finish(request: HttpRequest, response: HttpResponseBase, request_id: str) -> HttpResponseBase:
    response.headers.setdefault(REQUEST_ID_HEADER, request_id)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", settings.SECURE_REFERRER_POLICY)
    response.headers.setdefault("X-Frame-Options", settings.X_FRAME_OPTIONS)
    if not is_page(request):
        response.headers.setdefault("Content-Security-Policy", settings.API_CONTENT_POLICY)
    if settings.ACCESS_LOG:
        _log_access(request, response)
    return response


def _log_access(request: HttpRequest, response: HttpResponseBase) -> None:
    """One line per request: no query, which may carry a token, and no header."""
    spent = (time.monotonic() - request.began_at) * 1000  # type: ignore[attr-defined]
    remote = request_address(request) or "-"
    logger.info(
        "%s %s %s %.1f ms %s", request.method, request.path, response.status_code, spent, remote
    )


@sync_and_async_middleware
def request_context(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Give the request an id (`request.request_id`), bind it to the log, name it in the answer.

    A client may send its own `X-Request-ID`: 8 to 64 letters, digits, dots, dashes, underscores.
    """
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            request_id = _begin(request)
            return _finish(request, await get_response(request), request_id)

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        request_id = _begin(request)
        return _finish(request, get_response(request), request_id)

    return synchronous


class PagesOnly:
    """Makes a classic middleware step aside, without a change of thread, for every other path."""

    get_response: Callable[[HttpRequest], Any]

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer through the classic middleware for pages, past it for the rest."""
        if is_page(request):
            return super().__call__(request)  # type: ignore[misc,no-any-return]
        return self.get_response(request)  # type: ignore[no-any-return]


class PageSecurity(PagesOnly, SecurityMiddleware):
    """HTTPS redirects and transport headers of the pages."""


class PageCompression(PagesOnly, GZipMiddleware):
    """Gzip for pages; form tokens are masked anew in each, so their length tells nothing."""


class PageSessions(PagesOnly, SessionMiddleware):
    """Session cookies of the pages."""


class PageAuthentication(PagesOnly, AuthenticationMiddleware):
    """`request.user` of the pages."""


class PageMessages(PagesOnly, MessageMiddleware):
    """Flash messages of the pages."""


class PageForgeryGuard(PagesOnly, CsrfViewMiddleware):
    """CSRF protection of the pages; the APIs carry no cookie that could be abused."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            self.process_view = self._process_view_without_hop  # type: ignore[method-assign]

    async def _process_view_without_hop(
        self, request: HttpRequest, callback: Any, args: Any, options: Any
    ) -> Any:
        if not is_page(request):
            return None
        check = sync_to_async(super().process_view, thread_sensitive=True)
        return await check(request, callback, args, options)


class PageContentPolicy(PagesOnly, CSPMiddleware):
    """The content policy of the pages; the console alone may compile script attributes."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """The parts of the header, with the console's exception on `/admin/`."""
        parts: PolicyParts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith("/admin/") and not report_only:
            parts.replace = {
                "script-src": settings.CONSOLE_SCRIPT_SOURCES,
                **(parts.replace or {}),
            }
        return parts
