"""What lets a bot's alerts in: its secrets, the certificate of its sender, addresses."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from bots import services
from bots.models import BODY_SECRET, HMAC, TOKEN, Bot, PreviousSecret
from bots.services import Renewed
from common.errors import NotFound
from surfaces.dashboard.access import page
from surfaces.dashboard.door_form import DoorForm, RenewForm, door_shown
from surfaces.dashboard.lookups import bot_of
from surfaces.policy import Policy, declares
from surfaces.webhook_address import webhook_address

# How each secret is called on the pages, and what shows it.
SECRETS = {
    TOKEN: ("token in the address", "what TradingView can do"),
    HMAC: ("HMAC secret", "for own tools and relays, which sign with it"),
    BODY_SECRET: ("secret in the message", "whoever sees the alert sees it"),
}


def previous_secrets(bot: Bot) -> list[tuple[str, PreviousSecret]]:
    """A bot's renewed secrets, each with what it is called."""
    return [(SECRETS[each.kind][0], each) for each in bot.previous_secrets.all()]


@page
@declares({"GET": Policy.MANAGE, "POST": Policy.MANAGE})
def door(request: Any, bot_id: int) -> HttpResponse:
    """Secrets with their renewal, and the form of certificate and addresses."""
    principal, bot = request.principal, bot_of(request.principal, bot_id)
    if request.method == "POST":
        form = DoorForm(request.POST)
        if form.is_valid() and form.serve(
            lambda: services.set_door(principal=principal, bot=bot, **form.as_service_takes_it())
        ):
            messages.success(request, "Alerts are let in by what you chose from now on.")
            return redirect("dashboard:bot_door", bot_id=bot.pk)
    else:
        form = DoorForm(initial=door_shown(bot, fill=request.GET.get("fill", "")))
    before = {each.kind: each for each in bot.previous_secrets.all()}
    context = {
        "bot": bot,
        "form": form,
        "secrets": [
            (kind, name, effect, kind in bot.auth_modes, before.get(kind))
            for kind, (name, effect) in SECRETS.items()
        ],
        "certificate_header": settings.WEBHOOK_CLIENT_CERT_HEADER,
        "section": "bots",
        "live": "",
    }
    status = 422 if form.errors else 200
    return render(request, "dashboard/bot_door.html", context, status=status)


@page
@declares({"GET": Policy.MANAGE, "POST": Policy.MANAGE})
def renew(request: Any, bot_id: int, kind: str) -> HttpResponse:
    """A new secret: what it ends and when, then the secret this once."""
    principal, bot = request.principal, bot_of(request.principal, bot_id)
    form = RenewForm(bot, _known(kind), request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        new = form.serve(
            lambda: services.renew_secret(
                principal=principal, bot=bot, kind=kind, **form.cleaned_data
            )
        )
        if new is not None:
            return _shown_once(request, bot, new)
    previous = bot.previous_secrets.filter(kind=kind).first()
    context = {
        "bot": bot,
        "form": form,
        "kind": kind,
        "name": SECRETS[kind][0],
        "had_one": kind in bot.auth_modes,
        "previous": previous if previous and previous.is_accepted else None,
        "section": "bots",
        "live": "",
    }
    status = 422 if form.errors else 200
    return render(request, "dashboard/bot_renew.html", context, status=status)


@page
@declares({"POST": Policy.MANAGE})
def retire(request: Any, bot_id: int, kind: str) -> HttpResponse:
    """The secret before is refused from now on."""
    bot = bot_of(request.principal, bot_id)
    services.retire_secret(principal=request.principal, bot=bot, kind=_known(kind))
    messages.success(request, f"The {SECRETS[kind][0]} before is refused from now on.")
    return redirect("dashboard:bot_door", bot_id=bot.pk)


def _known(kind: str) -> str:
    if kind not in SECRETS:
        raise NotFound("There is no such secret.", code="not_found")
    return kind


def _shown_once(request: Any, bot: Bot, new: Renewed) -> HttpResponse:
    context = {
        "bot": bot,
        "address": webhook_address(request, new.secret) if new.kind == TOKEN else "",
        "hmac_secret": new.secret if new.kind == HMAC else "",
        "body_secret": new.secret if new.kind == BODY_SECRET else "",
        "previous_until": new.previous_until,
        "section": "bots",
        "live": "",
    }
    return render(request, "dashboard/bot_secrets.html", context)
