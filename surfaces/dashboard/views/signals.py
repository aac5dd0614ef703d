"""Signals and what became of each, account by account."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from common.errors import NotFound
from common.redaction import redact_json
from surfaces.dashboard import rows
from surfaces.dashboard.access import page
from surfaces.dashboard.views.lists import checks_of, number, paged
from webhooks.models import Signal

MOST_LEGS = 1000
# How the fields of a parsed alert are called; its text is shown beside them.
WORDS = {
    "symbol": "Symbol",
    "side": "Side",
    "type": "Order",
    "size": "Size",
    "leverage": "Leverage",
    "take_profit": "Take profit",
    "stop_loss": "Stop loss",
    "price": "Price",
}


@page
def signal_list(request: Any) -> HttpResponse:
    """Signals by bot and state, newest first."""
    principal, queryset = request.principal, rows.signals(request.principal)
    bot_id, state = number(request.GET.get("bot")), request.GET.get("state", "")
    if bot_id is not None:
        queryset = queryset.filter(bot_id=bot_id)
    if state in Signal.State.values:
        queryset = queryset.filter(state=state)
    return render(
        request,
        "dashboard/signals.html",
        {
            **paged(request, "signals", queryset),
            "bots": rows.bots(principal),
            "bot_id": bot_id,
            "state": state if state in Signal.State.values else "",
            "states": Signal.State.values,
            "section": "signals",
        },
    )


@page
def signal_detail(request: Any, correlation_id: str) -> HttpResponse:
    """One signal with a leg and the decision for each account."""
    principal = request.principal
    signal = rows.signals(principal).filter(correlation_id=correlation_id).first()
    if signal is None:
        raise NotFound("There is no such signal.", code="signal_not_found")
    legs = []
    if signal.execution_id:
        of_signal = rows.legs(principal).filter(execution_id=signal.execution_id)
        legs = rows.prepared(principal, "legs", of_signal[:MOST_LEGS])
    return render(
        request,
        "dashboard/signal.html",
        {
            "signal": signal,
            "legs": legs,
            "decisions": [(leg, checks_of(leg.decision)) for leg in legs],
            "asked": _asked(signal),
            "books": sorted({leg.account.book for leg in legs}),
            "live": "signals,legs",
            "section": "signals",
        },
    )


def _asked(signal: Signal) -> list[tuple[str, Any]]:
    """What the alert asks for, in words; nothing of what it leaves out."""
    found = redact_json(signal.request)
    known = found if isinstance(found, dict) else {}
    return [(word, known[name]) for name, word in WORDS.items() if known.get(name)]
