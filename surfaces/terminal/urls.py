"""The addresses of specification 004; a trailing slash is optional and nothing redirects."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, re_path

from surfaces.terminal import orders, positions

PREFIX = r"^api/v1/"
ORDER = r"(?P<order_id>[^/]+)"


def _route(pattern: str, view: Callable[..., Any], name: str) -> URLPattern:
    return re_path(rf"{PREFIX}{pattern}/?$", view, name=f"terminal-{name}")


urlpatterns = [
    _route("trading/orders", orders.OrdersView.as_view(), "orders"),
    _route(f"trading/orders/{ORDER}", orders.OrderView.as_view(), "order"),
    _route("trading/positions", positions.PositionsView.as_view(), "positions"),
]
