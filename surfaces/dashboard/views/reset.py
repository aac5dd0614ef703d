"""A forgotten password: ask for a mail, then set a new one with what it brought."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_http_methods

from common.errors import DomainError, Invalid, TooMany, Unauthenticated
from surfaces.authentication import request_address
from surfaces.dashboard.access import STATUS
from surfaces.policy import Policy, declares
from users.passwords import complete_reset, request_reset

TOKEN = "reset_token"
MAILED = "If the address is somebody's, a mail is on its way. It may take a minute."


@require_http_methods(["GET", "HEAD", "POST"])
@declares({"GET": Policy.PUBLIC, "POST": Policy.PUBLIC})
def reset(request: Any) -> HttpResponse:
    """``?token=`` goes into the session at once, so that it leaves the address bar and the
    history.
    """
    token = request.GET.get("token", "")
    if token:
        request.session[TOKEN] = token[:200]
        return redirect("dashboard:reset")
    if request.method != "POST":
        return _page(request)
    try:
        if "email" in request.POST:
            request.session.pop(TOKEN, None)
            request_reset(email=request.POST["email"][:254], address=request_address(request))
            messages.info(request, MAILED)
            return redirect("dashboard:login")
        user = _complete(request)
    except DomainError as error:
        if isinstance(error, Unauthenticated):
            request.session.pop(TOKEN, None)
        return _page(request, error)
    request.session.pop(TOKEN, None)
    messages.success(request, f"{user.username} has a new password. Sign in with it.")
    return redirect("dashboard:login")


def _complete(request: Any) -> Any:
    new = request.POST.get("new_password", "")
    if new != request.POST.get("again", ""):
        raise Invalid("The new password was not typed the same twice.", code="not_the_same")
    token = request.session.get(TOKEN, "")
    address = request_address(request)
    return complete_reset(token=token, new_password=new, address=address)[0]


def _page(request: Any, error: DomainError | None = None) -> HttpResponse:
    context = {"bare": True, "has_token": TOKEN in request.session, "error": error}
    status = STATUS.get(type(error), 400) if error else 200
    response = render(request, "dashboard/reset.html", context, status=status)
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.retry_after)
    add_never_cache_headers(response)
    return response
