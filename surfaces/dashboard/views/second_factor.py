"""Enrolling a second factor of one's own, its recovery codes, taking it away."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from common.errors import DomainError
from surfaces.dashboard.access import STATUS, page
from surfaces.dashboard.qr import svg_of
from surfaces.policy import Policy, declares
from users import mfa

from .security import overview


@page
@declares({"POST": Policy.AUTHENTICATED})
def begin(request: Any) -> HttpResponse:
    """A new secret; the page after this one shows it until a code of it was seen."""
    mfa.enrol(user=request.user)
    return redirect("dashboard:factor")


@page
@declares({"GET": Policy.AUTHENTICATED, "POST": Policy.AUTHENTICATED})
def factor(request: Any) -> HttpResponse:
    """The secret as QR code and as text; a code of it puts the second factor in force."""
    user = request.user
    if mfa.is_enabled(user):
        return redirect("dashboard:security")
    error: DomainError | None = None
    if request.method == "POST":
        try:
            codes = mfa.confirm(
                user=user, code=request.POST.get("code", "")[:64], address=request.principal.address
            )
        except DomainError as problem:
            error = problem
        else:
            return _shown_once(request, codes)
    enrolment = mfa.begun(user=user)
    context = {
        "section": "security",
        "enrolment": enrolment,
        "qr": svg_of(enrolment.uri) if enrolment else "",
        "error": error,
    }
    status = STATUS.get(type(error), 400) if error else 200
    return render(request, "dashboard/factor.html", context, status=status)


@page
@declares({"POST": Policy.AUTHENTICATED})
def renew(request: Any) -> HttpResponse:
    """New recovery codes instead of the old ones."""
    try:
        codes = mfa.renew_codes(
            user=request.user,
            code=request.POST.get("code", "")[:64],
            address=request.principal.address,
        )
    except DomainError as error:
        return overview(request, error=error, about="codes")
    return _shown_once(request, codes)


@page
@declares({"POST": Policy.AUTHENTICATED})
def disable(request: Any) -> HttpResponse:
    """Back to the password alone; asks for the password and a code."""
    try:
        mfa.disable(
            user=request.user,
            password=request.POST.get("password", ""),
            code=request.POST.get("code", "")[:64],
            address=request.principal.address,
        )
    except DomainError as error:
        return overview(request, error=error, about="disable")
    messages.success(request, "The second factor was taken away.")
    return redirect("dashboard:security")


def _shown_once(request: Any, codes: list[str]) -> HttpResponse:
    onward = reverse("admin:index") if request.user.is_staff else reverse("dashboard:overview")
    context = {"section": "security", "codes": codes, "onward": onward}
    return render(request, "dashboard/codes.html", context)
