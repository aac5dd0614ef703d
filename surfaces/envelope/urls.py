"""The addresses of specification 002; a trailing slash is optional and nothing redirects."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, re_path

from surfaces.envelope import csrf, orders, positions, wallet


def _route(pattern: str, view: Callable[..., Any], name: str) -> URLPattern:
    return re_path(rf"^{pattern}/?$", view, name=f"envelope-{name}")


urlpatterns = [
    _route("csrf-token", csrf.CsrfTokenView.as_view(), "csrf-token"),
    _route("orders", orders.OrdersView.as_view(), "orders"),
    _route("orders/cancel/(?P<order_id>[^/]+)", orders.CancelOrderView.as_view(), "order-cancel"),
    _route("orders/(?P<order_id>[^/]+)", orders.OrderView.as_view(), "order"),
    _route("positions", positions.PositionsView.as_view(), "positions"),
    # A symbol may have a slash in it, which is decoded before routes are looked at.
    _route("positions/(?P<symbol>.{1,80}?)", positions.PositionView.as_view(), "position"),
    _route("trading/performance", wallet.PerformanceView.as_view(), "performance"),
    _route("wallet/balance", wallet.BalanceView.as_view(), "balance"),
]
