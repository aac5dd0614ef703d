"""The first page and the first steps."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from surfaces.dashboard import figures, rows
from surfaces.dashboard.access import page
from surfaces.dashboard.first_steps import shown_steps


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
    """A checklist that ticks itself off, each step with the page that does it."""
    context = {**shown_steps(request.principal), "live": "steps", "section": "first_steps"}
    return render(request, "dashboard/first_steps.html", context)
