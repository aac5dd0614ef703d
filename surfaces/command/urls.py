"""The addresses of specification 000; a trailing slash is optional and nothing redirects."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, re_path

from surfaces.command import ccxt_calls, commands, lists, reassign


def _route(pattern: str, view: Callable[..., Any], name: str) -> URLPattern:
    return re_path(rf"^{pattern}/?$", view, name=f"command-{name}")


urlpatterns = [
    _route("position/commands", commands.CommandsView.as_view(), "commands"),
    _route("ccxt/multiple_commands", ccxt_calls.CallsView.as_view(), "ccxt-calls"),
    _route(
        r"ccxt/(?P<account_id>[0-9]+)/(?P<func>[A-Za-z0-9_]{1,100})",
        ccxt_calls.CallView.as_view(),
        "ccxt-call",
    ),
    _route("position/reassign", reassign.ReassignView.as_view(), "reassign"),
    _route("position/orders/open", lists.OpenOrdersView.as_view(), "orders-open"),
    _route("position/orders/history", lists.OrderHistoryView.as_view(), "orders-history"),
    _route("position/deals", lists.DealsView.as_view(), "deals"),
    _route("position/positions/open", lists.OpenPositionsView.as_view(), "positions-open"),
    _route("position/positions/history", lists.PositionHistoryView.as_view(), "positions-history"),
]
