"""The order ticket: entered, shown with what it would come to, sent once."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from common.errors import Conflict, Invalid
from surfaces.dashboard import figures
from surfaces.dashboard.access import page
from surfaces.dashboard.estimate import estimate
from surfaces.dashboard.ticket_form import TicketForm, tradable
from surfaces.dashboard.views.acts import request_id_of
from surfaces.dashboard.views.lists import text_of
from surfaces.policy import Policy, declares
from trading.services.placing import Placed, place_order

PREFILLED = ("account", "symbol", "side", "type", "quantity")


def _form(request: Any) -> TicketForm:
    """The form as sent, or with what the address says, over accounts the person may trade on."""
    accounts = tradable(request.principal)
    if request.method == "POST":
        return TicketForm(accounts, request.POST)
    given = {name: text_of(request, name) for name in PREFILLED if request.GET.get(name)}
    return TicketForm(accounts, initial={"symbol": "BTC/USDT", **given})


def _shown(request: Any, form: TicketForm, **context: Any) -> HttpResponse:
    """The ticket; with ``request_id`` it is armed and can be sent."""
    account = form.chosen
    return render(
        request,
        "dashboard/ticket.html",
        {
            "form": form,
            "account": account,
            "books": [account.book] if account else [],
            "switches": figures.engaged_switches(request.principal),
            "section": "ticket",
            "live": "",
            **context,
        },
        status=422 if form.errors else 200,
    )


def _armed(request: Any, form: TicketForm) -> HttpResponse:
    """The order as understood, with the button that sends it."""
    order = form.as_order()
    return _shown(
        request,
        form,
        order=order,
        estimate=estimate(request.principal, form.account_row, order),
        request_id=uuid.uuid4().hex,
    )


@page
@declares({"GET": Policy.AUTHENTICATED, "POST": Policy.AUTHENTICATED})
def ticket(request: Any) -> HttpResponse:
    """One order by hand. The first press shows what it would do, the second sends it."""
    form = _form(request)
    if request.method != "POST":
        return _shown(request, form)
    if not form.is_valid():
        return _shown(request, form)
    if request.POST.get("step") != "send":
        return _armed(request, form)
    return _sent(request, form)


def _sent(request: Any, form: TicketForm) -> HttpResponse:
    """Place the order; a second sending of the same form finds the first one's order."""
    try:
        placed = place_order(
            principal=request.principal,
            account=form.account_row,
            order=form.as_order(),
            source="dashboard",
            idempotency_key=request_id_of(request),
        )
    except Invalid as error:
        form.take(error)
        return _shown(request, form)
    except Conflict as error:
        if error.code != "order_in_progress":
            raise
        return redirect("dashboard:order", order_id=error.details["order_id"])
    if placed.order is None:
        form.take(Invalid(placed.message, code=placed.reason))
        return _shown(request, form)
    _say(request, placed)
    return redirect("dashboard:order", order_id=placed.order.pk)


def _say(request: Any, placed: Placed) -> None:
    assert placed.order is not None
    order = placed.order
    if placed.is_rejected:
        messages.error(request, f"Order {order.pk} was not placed: {placed.message}")
    else:
        messages.success(request, f"Order {order.pk} is accepted: {order}.")


@page
@declares({"POST": Policy.AUTHENTICATED})
def ticket_estimate(request: Any) -> HttpResponse:
    """What the form would come to as it stands: a part of the page, for each change of it."""
    form = _form(request)
    if not form.is_valid():
        return render(request, "dashboard/ticket_estimate.html", {"estimate": None})
    found = estimate(request.principal, form.account_row, form.as_order())
    context = {"estimate": found}
    return render(request, "dashboard/ticket_estimate.html", context)
