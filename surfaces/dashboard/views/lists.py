"""Orders, one order, and positions: the filter bar is the address, pages go by key."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render

from accounts.models import Account
from common.errors import NotFound
from common.redaction import redact_json
from surfaces.dashboard import figures, rows
from surfaces.dashboard.access import page
from trading import states

PER_PAGE = 50
GROUPS = {
    "working": states.LIVE - frozenset(figures.UNSURE),
    "unknown": frozenset(figures.UNSURE),
    "finished": states.TERMINAL,
}


def number(text: str | None) -> int | None:
    """A positive whole number of at most 18 digits, or None."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 18 else None


def text_of(request: Any, name: str) -> str:
    """A parameter of the address without the NUL that databases refuse, 80 characters at most."""
    return str(request.GET.get(name, "")).replace("\0", "").strip()[:80]


def filtered(request: Any, queryset: QuerySet[Any]) -> tuple[QuerySet[Any], dict[str, Any]]:
    """Apply ``account`` and ``symbol`` of the query; also what the filter bar shows."""
    account_id = number(request.GET.get("account"))
    symbol = text_of(request, "symbol").upper()
    if account_id is not None:
        queryset = queryset.filter(account_id=account_id)
    if symbol:
        queryset = queryset.filter(symbol=symbol)
    accounts = list(Account.objects.visible_to(request.principal))
    return queryset, {
        "accounts": accounts,
        "account_id": account_id,
        "symbol": symbol,
        "books": sorted({account.book for account in accounts}),
    }


def paged(request: Any, name: str, queryset: QuerySet[Any]) -> dict[str, Any]:
    """One page of rows older than ``before``, and the key of the next page."""
    before = number(request.GET.get("before"))
    if before is not None:
        queryset = queryset.filter(pk__lt=before)
    found = rows.prepared(request.principal, name, queryset[: PER_PAGE + 1])
    return {
        name: found[:PER_PAGE],
        "next_before": found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None,
        # Only the first page grows at its head.
        "live": name if before is None else "",
    }


@page
def order_list(request: Any) -> HttpResponse:
    """Orders by account, symbol, side, state, id at the venue or client order id."""
    queryset, bar = filtered(request, rows.orders(request.principal))
    group, side = request.GET.get("group", ""), request.GET.get("side", "")
    wanted = text_of(request, "q")
    if group in GROUPS:
        queryset = queryset.filter(state__in=GROUPS[group])
    if side in ("buy", "sell"):
        queryset = queryset.filter(side=side)
    if wanted:
        queryset = _matching(queryset, wanted)
    context = {
        **bar,
        **paged(request, "orders", queryset),
        "group": group,
        "side": side,
        "q": wanted,
        "groups": list(GROUPS),
        "section": "orders",
    }
    if wanted:
        context["live"] = ""
    return render(request, "dashboard/orders.html", context)


def _matching(queryset: QuerySet[Any], wanted: str) -> QuerySet[Any]:
    by_id = queryset.filter(pk=number(wanted) or 0)
    return (
        by_id
        | queryset.filter(client_order_id=wanted)
        | queryset.filter(exchange_order_id=wanted)
        | queryset.filter(symbol=wanted.upper())
    )


@page
def order_detail(request: Any, order_id: int) -> HttpResponse:
    """One order: what was asked, how it was decided, every step since."""
    principal = request.principal
    order = rows.orders(principal).select_related("account", "command").filter(pk=order_id).first()
    if order is None:
        raise NotFound("There is no such order.", code="order_not_found")
    rows.prepared(principal, "orders", [order])
    return render(
        request,
        "dashboard/order.html",
        {
            "order": order,
            "books": [order.book],
            "steps": list(order.events.all()),
            "deals": rows.prepared(
                principal, "deals", rows.deals(principal).filter(order=order)[:100]
            ),
            "checks": checks_of(order.command.decision if order.command else {}),
            "live": "orders,deals",
            "section": "orders",
        },
    )


def checks_of(decision: Any) -> list[dict[str, Any]]:
    """The stored checks as name, verdict and compared values, whatever their exact shape."""
    stored = redact_json(decision or {})
    checks = stored.get("checks", []) if isinstance(stored, dict) else stored
    if isinstance(checks, dict):
        checks = [
            {"name": name, **(value if isinstance(value, dict) else {"value": value})}
            for name, value in checks.items()
        ]
    result = []
    for check in checks:
        if isinstance(check, dict):
            rest = dict(check)
            name = rest.pop("name", rest.pop("check", rest.pop("code", "")))
            passed = rest.pop("passed", rest.pop("ok", rest.pop("allowed", None)))
            result.append({"name": name, "passed": passed, "values": rest})
    return result


@page
def position_list(request: Any) -> HttpResponse:
    """Open positions, or closed ones with ``state=closed``."""
    state = "closed" if request.GET.get("state") == "closed" else "open"
    queryset, bar = filtered(request, rows.positions(request.principal).filter(state=state))
    return render(
        request,
        "dashboard/positions.html",
        {
            **bar,
            **paged(request, "positions", queryset),
            "state": state,
            "section": "positions",
        },
    )
