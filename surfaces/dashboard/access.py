"""Who may see a page: the session of Django's login becomes a principal, errors become pages."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import reverse

from accounts.principals import principal_of_user
from common.errors import (
    Conflict,
    Denied,
    DomainError,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from common.principal import Principal
from events.sequencer import last_number
from surfaces.authentication import request_address
from surfaces.limits import Bucket, admit_caller
from surfaces.page_sessions import has_ended
from surfaces.policy import Policy, policy_of
from users.preferences import zone_of

View = Callable[..., HttpResponse]
# Knows the configured session engine.
_sessions = SessionMiddleware(lambda request: HttpResponse())
STATUS: dict[type[DomainError], int] = {
    Unauthenticated: 401,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    TooMany: 429,
    Unavailable: 503,
}


class PageRequest(HttpRequest):
    """A request of a signed-in person; ``head`` is the last event number before it was read."""

    principal: Principal
    head: int


def page(view: View) -> View:
    """A view for signed-in people; a DomainError becomes a page with its code and next step.

    Such a view is for reading unless it declares what else it takes. What is sent counts against
    the person's limit, see :func:`counted_in`.
    """
    view.__dict__.setdefault("policy", {"GET": Policy.AUTHENTICATED})

    @wraps(view)
    def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("dashboard:login"))
        request.principal = principal_of_user(request.user, address=request_address(request))
        # Read before the page's own rows: what happens in between is delivered again, never missed.
        request.head = last_number()
        try:
            if request.method == "POST":
                admit_caller(request.principal, view.__dict__.get("bucket", Bucket.CALLS))
            policy = policy_of(view, request.method or "")
            if policy is None:
                return HttpResponseNotAllowed(list(view.policy))  # type: ignore[attr-defined]
            policy.check(request.principal)
            response = view(request, *args, **kwargs)
        except DomainError as error:
            response = error_page(request, error)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return wrapped


def counted_in(bucket: Bucket) -> Callable[[View], View]:
    """Decorator: what is sent to the view counts in this bucket instead of with all calls."""

    def mark(view: View) -> View:
        view.__dict__["bucket"] = bucket
        return view

    return mark


def error_page(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The page of a refusal; its status follows the error's class."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    response = render(
        request, "dashboard/error.html", {"error": error, "status": status}, status=status
    )
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.retry_after)
    return response


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person behind a live session, and how pages speak to it."""

    principal: Principal
    zone: ZoneInfo
    currency: str


def visitor_of_session_key(session_key: str, *, address: str = "") -> Visitor | None:
    """Who has a live session, read anew from the database; None once it has ended."""
    carrier = HttpRequest()
    carrier.session = _sessions.SessionStore(session_key)
    user = get_user(carrier)
    if not user.is_authenticated or has_ended(carrier.session):
        return None
    return Visitor(principal_of_user(user, address=address), zone_of(user), user.display_currency)
