"""A person's own security: password, second factor, sessions."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render

from common.errors import DomainError, Invalid, NotFound
from surfaces.dashboard.access import STATUS, page
from surfaces.page_sessions import SID
from surfaces.policy import Policy, declares
from users import mfa, passwords, sessions
from users.models import AuthSession


@page
def security(request: Any) -> HttpResponse:
    """Everything at a glance."""
    return overview(request)


def overview(request: Any, *, error: DomainError | None = None, about: str = "") -> HttpResponse:
    """The page; ``error`` is shown in the section ``about``."""
    user = request.user
    own = AuthSession.objects.live_of(user.pk).order_by("-created_at")
    context = {
        "section": "security",
        "enabled": mfa.is_enabled(user),
        "codes_left": mfa.codes_left(user),
        "sessions": own,
        "current": request.session.get(SID, ""),
        "error": error,
        "about": about,
    }
    status = STATUS.get(type(error), 400) if error else 200
    return render(request, "dashboard/security.html", context, status=status)


@page
@declares({"POST": Policy.AUTHENTICATED})
def password(request: Any) -> HttpResponse:
    """A new password of one's own; every other session ends."""
    new = request.POST.get("new_password", "")
    try:
        if new != request.POST.get("again", ""):
            raise Invalid("The new password was not typed the same twice.", code="not_the_same")
        ended = passwords.change_password(
            user=request.user,
            old_password=request.POST.get("old_password", ""),
            new_password=new,
            keep_sid=_own_sid(request),
            address=request.principal.address,
        )
    except DomainError as error:
        return overview(request, error=error, about="password")
    update_session_auth_hash(request, request.user)
    messages.success(request, f"The password was changed; {ended} other sessions ended.")
    return redirect("dashboard:security")


@page
@declares({"POST": Policy.AUTHENTICATED})
def end_session(request: Any, sid: uuid.UUID) -> HttpResponse:
    """End one of one's own sessions."""
    session = AuthSession.objects.live_of(request.user.pk).filter(sid=sid).first()
    if session is None:
        raise NotFound("There is no such session.", code="session_not_found")
    sessions.revoke(session, reason="ended_by_user", by=request.principal)
    messages.success(request, "The session has ended.")
    return redirect("dashboard:security")


def _own_sid(request: Any) -> uuid.UUID | None:
    sid = request.session.get(SID)
    return uuid.UUID(sid) if sid else None
