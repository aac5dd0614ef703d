"""The daily acts. Each shows what it would do first; the form carries a request id from then on, so
that two presses, Enter plus click, or a reload give one command."""

import contextlib
import re
import uuid
from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpResponse
from django.shortcuts import redirect, render

from common.errors import Denied, Invalid, NotFound
from common.principal import TRADE
from monitoring.alerts import settle
from monitoring.models import Alert
from reports.positions import priced
from riskmgmt import switches
from riskmgmt.models import KillSwitch, Scope
from surfaces.dashboard import figures, rows
from surfaces.dashboard.access import counted_in, page
from surfaces.limits import Bucket
from surfaces.policy import Policy, declares
from trading.models import Command, Order
from trading.services import closing
from users.models import Organisation
from users.permissions import RISK, demand

_REQUEST_ID = re.compile(r"[0-9a-f]{32}\Z")


def request_id_of(request: Any) -> str:
    """The id of the form that was sent; raises Invalid where it is missing or not one of ours."""
    request_id = request.POST.get("request_id", "")
    if not _REQUEST_ID.match(request_id):
        raise Invalid("The form has no request id: open the page again.", code="request_id_missing")
    return request_id


def _demand_trade(request: Any, account_id: int) -> None:
    if not request.principal.may(TRADE, account_id):
        raise Denied("You may not trade on this account.", code="permission_denied")


@page
@counted_in(Bucket.SAFETY)
@declares({"GET": Policy.ACCOUNT_TRADE, "POST": Policy.ACCOUNT_TRADE})
def close(request: Any, position_id: int) -> HttpResponse:
    """Close one position at the market."""
    principal = request.principal
    position = rows.positions(principal).filter(pk=position_id).first()
    if position is None:
        raise NotFound("There is no such position.", code="position_not_found")
    _demand_trade(request, position.account_id)
    if request.method == "POST":
        execution = closing.close_position(
            principal=principal,
            account=position.account,
            symbol=position.symbol,
            position_id=position.pk,
            request_id=request_id_of(request),
        )
        messages.success(
            request,
            f"Close of {position.symbol} on {position.account.name} accepted "
            f"(correlation id {execution.correlation_id}).",
        )
        return redirect("dashboard:account", account_id=position.account_id)
    priced([position])
    return render(
        request,
        "dashboard/close_position.html",
        {
            "position": position,
            "request_id": uuid.uuid4().hex,
            "books": [position.book],
            "section": "positions",
            "live": "",
        },
    )


def _cancel_once(request: Any, order: Order) -> None:
    """One cancel per form: a second sending of it finds the first one's command."""
    principal, request_id = request.principal, request_id_of(request)
    sent = Command.objects.visible_to(principal).filter(
        organisation_id=order.organisation_id,
        principal_key=principal.key,
        account_id=order.account_id,
        request_id=request_id,
    )
    if not sent.exists():
        # The unique key of commands decides between two sendings at the same moment.
        with contextlib.suppress(IntegrityError):
            closing.cancel_order(principal=principal, order=order, request_id=request_id)
    messages.success(request, f"Cancel of order {order.pk} accepted (request {request_id[:8]}).")


@page
@counted_in(Bucket.SAFETY)
@declares({"GET": Policy.ACCOUNT_TRADE, "POST": Policy.ACCOUNT_TRADE})
def cancel(request: Any, order_id: int) -> HttpResponse:
    """Cancel one order."""
    principal = request.principal
    order = rows.orders(principal).filter(pk=order_id).first()
    if order is None:
        raise NotFound("There is no such order.", code="order_not_found")
    _demand_trade(request, order.account_id)
    if request.method == "POST":
        _cancel_once(request, order)
        return redirect("dashboard:account", account_id=order.account_id)
    return render(
        request,
        "dashboard/cancel_order.html",
        {
            "order": order,
            "request_id": uuid.uuid4().hex,
            "books": [order.book],
            "section": "orders",
            "live": "",
        },
    )


@page
@counted_in(Bucket.SAFETY)
@declares({"GET": Policy.AUTHENTICATED, "POST": Policy.RISK})
def stop(request: Any) -> HttpResponse:
    """The organisation's kill switch: what it would touch, then the organisation's typed name."""
    principal = request.principal
    organisation = Organisation.objects.visible_to(principal).get(pk=principal.organisation_id)
    problem = ""
    if request.method == "POST":
        demand(principal, RISK)
        reason = request.POST.get("reason", "").strip()[:300]
        if request.POST.get("confirm", "").strip() != organisation.name:
            problem = "Type the organisation's name exactly as shown."
        elif not reason:
            problem = "Say why: the reason is kept with the switch."
        else:
            switch = switches.engage(
                principal=principal,
                scope=Scope.ORGANISATION,
                scope_id=organisation.pk,
                level=KillSwitch.Level.REDUCING,
                reason=reason,
            )
            messages.warning(request, f"Kill switch {switch.pk} engaged: entries are refused now.")
            return redirect("dashboard:stop")
    return render(
        request,
        "dashboard/stop.html",
        {
            "organisation": organisation,
            "radius": figures.blast_radius(principal),
            "switches": figures.engaged_switches(principal),
            "problem": problem,
            "typed_reason": request.POST.get("reason", ""),
            "section": "stop",
            "live": "",
        },
        status=422 if problem else 200,
    )


@page
@declares({"POST": Policy.RISK})
def release(request: Any, switch_id: int) -> HttpResponse:
    """Release an engaged switch that concerns the organisation.

    The service compares the typed confirmation.
    """
    demand(request.principal, RISK)
    switch = next(
        (one for one in figures.engaged_switches(request.principal) if one.pk == switch_id), None
    )
    if switch is None:
        raise NotFound("There is no such engaged switch.", code="switch_not_found")
    confirm = request.POST.get("confirm", "").strip()
    switches.release(principal=request.principal, switch=switch, confirm=confirm)
    messages.success(request, f"Kill switch {switch.pk} released.")
    return redirect("dashboard:stop")


@page
@declares({"POST": Policy.AUTHENTICATED})
def acknowledge(request: Any, alert_id: int) -> HttpResponse:
    """Take up an alert; harmless to repeat."""
    principal = request.principal
    alert = Alert.objects.visible_to(principal).filter(pk=alert_id).first()
    if alert is None:
        raise NotFound("There is no such alert.", code="alert_not_found")
    settle(alert, state=Alert.State.ACKNOWLEDGED, actor=principal.key)
    if request.htmx:
        return render(
            request,
            "dashboard/totals.html",
            figures.summary(principal, request.user.display_currency),
        )
    return redirect("dashboard:overview")
