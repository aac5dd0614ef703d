"""Signing in, in one step or two, and out. The console is entered here too."""

import time
from typing import Any

from django.contrib import messages
from django.contrib.auth.signals import user_login_failed
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from common.errors import Denied, DomainError, TooMany
from surfaces.authentication import request_address
from surfaces.dashboard.access import error_page
from surfaces.page_sessions import close_page_session, open_page_session
from surfaces.policy import Policy, declares
from users import mfa
from users.models import User
from users.proof import verified_user

SECOND_STEP = "second_step"
SECOND_STEP_SECONDS = 300
NOT_STAFF = "The operator console is not open to you."
UNKNOWN = "(unknown)"


@require_http_methods(["GET", "HEAD", "POST"])
@declares({"GET": Policy.PUBLIC, "POST": Policy.PUBLIC})
def enter(request: Any) -> HttpResponse:
    """The sign-in page. Unknown names and wrong passwords get the same sentence."""
    target = _target(request)
    if request.user.is_authenticated:
        return _onward(request, request.user, target)
    if request.method != "POST":
        return _page(request, "dashboard/login.html", target)
    identifier = request.POST.get("username", "")[:254].replace("\0", "")
    try:
        user = verified_user(
            identifier=identifier,
            password=request.POST.get("password", "")[:4096],
            address=request_address(request),
        )
    except DomainError as error:
        _record_failure(request, identifier)
        return _page(request, "dashboard/login.html", target, error, identifier)
    if user.must_reset_password:
        messages.warning(request, "Set a new password before you sign in.")
        return redirect("dashboard:reset")
    if not mfa.is_enabled(user):
        return _sign_in(request, user, target)
    request.session.cycle_key()
    request.session[SECOND_STEP] = {
        "user": user.pk,
        "proof": user.get_session_auth_hash(),
        "at": int(time.time()),
        "next": target,
    }
    return redirect("dashboard:code")


@require_http_methods(["GET", "HEAD", "POST"])
@declares({"GET": Policy.PUBLIC, "POST": Policy.PUBLIC})
def code(request: Any) -> HttpResponse:
    """The second step: a code of the app, or a recovery code."""
    step = request.session.get(SECOND_STEP) or {}
    user = _waiting_user(step)
    if user is None:
        request.session.pop(SECOND_STEP, None)
        return redirect("dashboard:login")
    if request.method != "POST":
        return _page(request, "dashboard/code.html", step["next"])
    try:
        mfa.check(
            user=user, code=request.POST.get("code", "")[:64], address=request_address(request)
        )
    except DomainError as error:
        _record_failure(request, user.username)
        return _page(request, "dashboard/code.html", step["next"], error)
    del request.session[SECOND_STEP]
    return _sign_in(request, user, step["next"])


@require_POST
@declares({"POST": Policy.PUBLIC})
def leave(request: HttpRequest) -> HttpResponse:
    """End the session."""
    close_page_session(request)
    return redirect("dashboard:login")


def _waiting_user(step: dict[str, Any]) -> User | None:
    """Whoever gave the right password a moment ago and has not changed it since."""
    if time.time() - step.get("at", 0) > SECOND_STEP_SECONDS:
        return None
    user = User.objects.filter(pk=step["user"], is_active=True, must_reset_password=False).first()
    if user is None or not constant_time_compare(step["proof"], user.get_session_auth_hash()):
        return None
    return user


def _sign_in(request: HttpRequest, user: User, target: str) -> HttpResponse:
    """Open the session, unless the person was barred since the password was looked at."""
    try:
        open_page_session(request, user)
    except DomainError as error:
        return _page(request, "dashboard/login.html", target, error)
    return _onward(request, user, target)


def _target(request: HttpRequest) -> str:
    """Where to go afterwards: an own address, else the overview."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    own = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if own else reverse("dashboard:overview")


def _onward(request: HttpRequest, user: Any, target: str) -> HttpResponse:
    if target.startswith(reverse("admin:index")) and not user.is_staff:
        return error_page(request, Denied(NOT_STAFF, code="not_staff"))
    return redirect(target)


def _record_failure(request: HttpRequest, identifier: str) -> None:
    """Tell the record of log-ins; a name nobody has may be a mistyped password and is not kept."""
    known = User.objects.filter(Q(username__iexact=identifier) | Q(email__iexact=identifier))
    name = known.values_list("username", flat=True).first() or UNKNOWN
    user_login_failed.send(__name__, credentials={"username": name}, request=request)


def _page(
    request: HttpRequest,
    template: str,
    target: str,
    error: DomainError | None = None,
    identifier: str = "",
) -> HttpResponse:
    context = {"bare": True, "next": target, "error": error, "identifier": identifier}
    status = 429 if isinstance(error, TooMany) else 200
    response = render(request, template, context, status=status)
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.retry_after)
    add_never_cache_headers(response)
    return response
