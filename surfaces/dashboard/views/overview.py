"""The first page and the first steps."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from accounts.models import Account
from bots.models import Bot
from surfaces.dashboard import figures, rows
from surfaces.dashboard.access import page
from trading import states
from trading.models import Order
from webhooks.models import Signal


@page
def overview(request: Any) -> HttpResponse:
    """Totals per book, what needs attention, the equity line, the newest signals."""
    principal = request.principal
    context = figures.summary(principal, request.user.display_currency)
    newest = rows.prepared(principal, "signals", rows.signals(principal)[:10])
    return render(
        request,
        "dashboard/overview.html",
        {
            **context,
            "signals": newest,
            "books": sorted({total.book for total in context["totals"]}),
            "live": "totals,signals",
            "section": "overview",
        },
    )


@page
def first_steps(request: Any) -> HttpResponse:
    """A checklist that ticks itself off, with the texts to copy."""
    principal = request.principal
    bot = Bot.objects.visible_to(principal).first()
    own = Account.objects.visible_to(principal).exclude(venue="rehearsal")
    return render(
        request,
        "dashboard/first_steps.html",
        {
            "bot": bot,
            "has_signal": Signal.objects.visible_to(principal).exists(),
            "has_fill": Order.objects.visible_to(principal).filter(state=states.FILLED).exists(),
            "has_own_account": own.exists(),
            "live": "signals",
            "section": "first_steps",
            "webhook": request.build_absolute_uri("/api/v1/webhook/tradingview"),
        },
    )
