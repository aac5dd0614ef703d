"""Bots, one bot, and changing its status."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.models import Book
from bots import services
from bots.models import Bot
from common.errors import Invalid
from reports.bots import bot_accounts
from surfaces.dashboard import figures, rows
from surfaces.dashboard.access import page
from surfaces.dashboard.lookups import bot_of
from surfaces.dashboard.views.accounts import ROWS
from surfaces.dashboard.views.bot_door import previous_secrets
from surfaces.policy import Policy, declares
from users.permissions import MANAGE, may

EFFECTS = {
    Bot.Status.ACTIVE: "Its signals are executed from now on.",
    Bot.Status.PAUSED: "Entries are refused, exits go through.",
    Bot.Status.STOPPED: "Every signal is recorded and refused, exits too. Positions stay as they "
    "are.",
}


@page
def bot_list(request: Any) -> HttpResponse:
    """All bots with their state and counters."""
    principal = request.principal
    return render(
        request,
        "dashboard/bots.html",
        {
            "bots": rows.prepared(principal, "bots", rows.bots(principal)),
            "may_manage": may(principal, MANAGE),
            "live": "bots",
            "section": "bots",
        },
    )


@page
def bot_detail(request: Any, bot_id: int) -> HttpResponse:
    """State, what its signals reach, how it did, its newest signals."""
    principal = request.principal
    bot = bot_of(principal, bot_id)
    accounts = rows.prepared(principal, "accounts", bot_accounts(principal, bot))
    newest = rows.signals(principal).filter(bot=bot)[:ROWS]
    return render(
        request,
        "dashboard/bot.html",
        {
            "bot": bot,
            "row": rows.prepared(principal, "bots", [bot])[0],
            "groups": rows.groups(principal).filter(bots=bot),
            "previous_secrets": previous_secrets(bot),
            "accounts": accounts,
            "books": sorted({account.book for account in accounts}),
            "switches": figures.engaged_switches(principal),
            "signals": rows.prepared(principal, "signals", newest),
            "statuses": [status for status in Bot.Status if status != bot.status],
            "may_manage": may(principal, MANAGE),
            "live": "bots,accounts,signals",
            "section": "bots",
        },
    )


@page
@declares({"GET": Policy.MANAGE, "POST": Policy.MANAGE})
def set_status(request: Any, bot_id: int) -> HttpResponse:
    """What the new status (``to``) means, then the change."""
    bot = bot_of(request.principal, bot_id)
    wanted = (request.POST or request.GET).get("to", "").upper()
    if wanted not in Bot.Status.values:
        raise Invalid("There is no such status.", fields={"to": "active, paused or stopped"})
    if request.method == "POST":
        bot = services.set_status(principal=request.principal, bot=bot, status=wanted)
        messages.success(request, f"The bot {bot.name} is {bot.status.lower()}. {EFFECTS[wanted]}")
        return redirect("dashboard:bot", bot_id=bot.pk)
    accounts = bot_accounts(request.principal, bot)
    context = {
        "bot": bot,
        "wanted": wanted,
        "reached": len(accounts),
        "live_accounts": sum(account.book == Book.LIVE for account in accounts),
        "books": sorted({account.book for account in accounts}),
        "effect": EFFECTS[Bot.Status(wanted)],
        "section": "bots",
        "live": "",
    }
    return render(request, "dashboard/bot_status.html", context)
