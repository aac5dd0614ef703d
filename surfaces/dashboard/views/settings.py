"""A person's own settings: time zone and display currency."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from common.clock import now
from common.errors import Invalid
from surfaces.dashboard.access import STATUS, page
from surfaces.policy import Policy, declares
from users.preferences import set_preferences

FIELDS = ("time_zone", "display_currency")
SUGGESTED = ("USD", "USDT", "USDC", "EUR", "GBP", "PLN", "CHF", "JPY", "BTC", "ETH")


@cache
def _zones() -> list[str]:
    """What this machine knows, without the aliases of old."""
    return sorted(name for name in available_timezones() if "/" in name or name == "UTC")


@page
@declares({"GET": Policy.AUTHENTICATED, "POST": Policy.AUTHENTICATED})
def settings(request: Any) -> HttpResponse:
    """Show them; on the sent form, set them."""
    chosen = {name: getattr(request.user, name) for name in FIELDS}
    error = None
    if request.method == "POST":
        chosen = {name: request.POST.get(name, "")[:64].replace("\0", "") for name in FIELDS}
        try:
            set_preferences(by=request.principal, **chosen)
        except Invalid as problem:
            error = problem
        else:
            messages.success(request, "Saved.")
            return redirect("dashboard:settings")
    context = {
        "section": "settings",
        "chosen": chosen,
        "error": error,
        "zones": _zones(),
        "currencies": SUGGESTED,
        "here": f"{timezone.localtime(now()):%Y-%m-%d %H:%M %Z}",
    }
    status = STATUS[Invalid] if error else 200
    return render(request, "dashboard/settings.html", context, status=status)
