"""Figures of the console's home and the trace of an order."""

from datetime import timedelta
from typing import Any

from django import template
from django.db.models import Q
from django.urls import reverse

from accounts.models import Account
from common.clock import now
from monitoring.models import Alert
from riskmgmt.models import KillSwitch
from surfaces.console.writing import shown_json, shown_money
from trading import states
from trading.models import Deal, Order, Position

register = template.Library()
STALE_SECONDS = 60
MOST_DEALS = 200


def _counted(request: Any, model: Any) -> Any:
    rows = model._default_manager.all()
    user = request.user
    return rows if user.is_superuser else rows.filter(organisation_id=user.organisation_id)


@register.inclusion_tag("console/counts.html", takes_context=True)
def console_counts(context: dict[str, Any]) -> dict[str, Any]:
    """What an operator looks at first, each with the list behind it."""
    request = context["request"]
    orders, accounts = _counted(request, Order), _counted(request, Account).filter(deleted_at=None)
    stale = Q(synced_at=None) | Q(synced_at__lt=now() - timedelta(seconds=STALE_SECONDS))
    unknown = (states.UNKNOWN, states.NEEDS_OPERATOR)
    switches = KillSwitch.objects.engaged()
    if not request.user.is_superuser:
        own = Q(organisation_id=request.user.organisation_id) | Q(organisation=None)
        switches = switches.filter(own)
    order_list = reverse("admin:trading_order_changelist")
    return {
        "counts": (
            (
                "Working orders",
                orders.filter(state__in=states.WORKING).count(),
                f"{order_list}?state__in={','.join(sorted(states.WORKING))}",
                False,
            ),
            (
                "Orders of unknown outcome",
                orders.filter(state__in=unknown).count(),
                f"{order_list}?state__in={','.join(unknown)}",
                True,
            ),
            (
                "Engaged kill switches",
                switches.count(),
                reverse("admin:riskmgmt_killswitch_changelist") + "?released_at__isempty=1",
                True,
            ),
            (
                "Active alerts",
                _counted(request, Alert).filter(state=Alert.State.ACTIVE).count(),
                reverse("admin:monitoring_alert_changelist") + "?state__exact=active",
                True,
            ),
            (
                "Accounts with stale figures",
                accounts.filter(stale).exclude(status=Account.Status.DISABLED).count(),
                reverse("admin:accounts_account_changelist"),
                True,
            ),
        )
    }


@register.inclusion_tag("console/trace.html")
def order_trace(order: Order) -> dict[str, Any]:
    """The stored decision and every step of an order; raw details redacted."""
    command = order.command
    return {
        "order": order,
        "reason_code": command.reason_code if command else "",
        "decision": shown_json(command.decision) if command else "",
        "steps": [
            {"event": event, "details": shown_json(event.details) if event.details else ""}
            for event in order.events.all()
        ],
    }


@register.inclusion_tag("console/deals.html")
def position_deals(position: Position) -> dict[str, Any]:
    """What a position is the sum of, the newest deal first."""
    found = list(Deal.objects.filter(position=position)[: MOST_DEALS + 1])
    figures = ("quantity", "price", "fee", "realised")
    return {
        "deals": [
            {"row": deal} | {name: shown_money(getattr(deal, name)) for name in figures}
            for deal in found[:MOST_DEALS]
        ],
        "more": len(found) > MOST_DEALS,
        "most": MOST_DEALS,
        "symbol": position.symbol,
        "list": reverse("admin:trading_deal_changelist"),
    }
