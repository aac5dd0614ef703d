"""The addresses of specification 003; a trailing slash is optional and nothing redirects."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, re_path

from surfaces.server import auth, health, keys, orders, orgs, portfolio, stream, users

PREFIX = r"^v1/"
KEY, USER = (rf"(?P<{name}_id>[^/]+)" for name in ("key", "user"))


def _route(pattern: str, view: Callable[..., Any], name: str) -> URLPattern:
    return re_path(rf"{PREFIX}{pattern}/?$", view, name=f"server-{name}")


urlpatterns = [
    _route("orders", orders.OrdersView.as_view(), "orders"),
    _route("orders/recent", orders.RecentOrdersView.as_view(), "orders-recent"),
    _route("portfolio", portfolio.PortfolioView.as_view(), "portfolio"),
    _route("portfolio/history", portfolio.PortfolioHistoryView.as_view(), "portfolio-history"),
    _route("health", health.HealthView.as_view(), "health"),
    _route("auth/login", auth.LoginView.as_view(), "login"),
    _route("auth/refresh", auth.RefreshView.as_view(), "refresh"),
    _route("auth/reset-password", auth.ResetPasswordView.as_view(), "reset-password"),
    _route("auth/change-password", auth.ChangePasswordView.as_view(), "change-password"),
    _route("auth/revoke", auth.RevokeView.as_view(), "revoke"),
    _route("stream", stream.stream, "stream"),
    _route("stream-ticket", stream.StreamTicketView.as_view(), "stream-ticket"),
    _route("api-keys", keys.ApiKeysView.as_view(), "api-keys"),
    _route(f"api-keys/{KEY}", keys.ApiKeyView.as_view(), "api-key"),
    _route(f"api-keys/{KEY}/revoke", keys.RevokeApiKeyView.as_view(), "api-key-revoke"),
    _route("orgs", orgs.OrganisationsView.as_view(), "orgs"),
    _route("users", users.UsersView.as_view(), "users"),
    _route(f"users/{USER}", users.UserView.as_view(), "user"),
    _route(f"users/{USER}/issue-reset", users.IssueResetView.as_view(), "issue-reset"),
]
