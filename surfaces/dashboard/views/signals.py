"""Signals and what became of each, account by account."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from common.errors import NotFound
from common.redaction import redact_json
from surfaces.dashboard import rows
from surfaces.dashboard.access import page
from surfaces.dashboard.views.lists import paged


@page
def signal_list(request: Any) -> HttpResponse:
    """Signals, newest first."""
    return render(
        request,
        "dashboard/signals.html",
        {
            **paged(request, "signals", rows.signals(request.principal)),
            "section": "signals",
        },
    )


@page
def signal_detail(request: Any, correlation_id: str) -> HttpResponse:
    """One signal with a leg per account."""
    principal = request.principal
    signal = rows.signals(principal).filter(correlation_id=correlation_id).first()
    if signal is None:
        raise NotFound("There is no such signal.", code="signal_not_found")
    legs = []
    if signal.execution_id:
        of_signal = rows.legs(principal).filter(execution_id=signal.execution_id)
        legs = rows.prepared(principal, "legs", of_signal[:1000])
    return render(
        request,
        "dashboard/signal.html",
        {
            "signal": signal,
            "legs": legs,
            "asked": redact_json(signal.request),
            "books": sorted({leg.account.book for leg in legs}),
            "live": "signals,legs",
            "section": "signals",
        },
    )
