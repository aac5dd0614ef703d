"""Making a bot and connecting it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from bots import services
from bots.models import Bot
from bots.secrets import BotSecrets
from surfaces.dashboard.access import page
from surfaces.dashboard.bot_form import BotForm, ConnectionsForm
from surfaces.dashboard.lookups import bot_of
from surfaces.policy import Policy, declares
from surfaces.webhook_address import webhook_address


@page
@declares({"GET": Policy.MANAGE, "POST": Policy.MANAGE})
def new_bot(request: Any) -> HttpResponse:
    """A new bot; the page after it shows its secrets this once."""
    principal = request.principal
    form = BotForm(principal, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        made = form.serve(lambda: services.create_bot(principal=principal, **form.cleaned_data))
        if made is not None:
            return _shown_once(request, *made)
    context = {"form": form, "section": "bots", "live": ""}
    status = 422 if form.errors else 200
    return render(request, "dashboard/bot_new.html", context, status=status)


@page
@declares({"GET": Policy.MANAGE, "POST": Policy.MANAGE})
def connections(request: Any, bot_id: int) -> HttpResponse:
    """Which groups and accounts the bot's signals reach."""
    principal, bot = request.principal, bot_of(request.principal, bot_id)
    if request.method == "POST":
        form = ConnectionsForm(principal, request.POST)
        if form.is_valid() and form.serve(
            lambda: services.set_connections(principal=principal, bot=bot, **form.cleaned_data)
        ):
            messages.success(request, f"The bot {bot.name} reaches what you chose.")
            return redirect("dashboard:bot", bot_id=bot.pk)
    else:
        chosen = {
            "account_ids": list(bot.accounts.values_list("pk", flat=True)),
            "group_ids": list(bot.groups.values_list("pk", flat=True)),
        }
        form = ConnectionsForm(principal, initial=chosen)
    context = {"bot": bot, "form": form, "section": "bots", "live": ""}
    status = 422 if form.errors else 200
    return render(request, "dashboard/bot_connections.html", context, status=status)


def _shown_once(request: Any, bot: Bot, secrets: BotSecrets) -> HttpResponse:
    context = {
        "bot": bot,
        "address": webhook_address(request, secrets.path_token) if secrets.path_token else "",
        "hmac_secret": secrets.hmac_secret,
        "section": "bots",
        "live": "",
    }
    return render(request, "dashboard/bot_secrets.html", context)
