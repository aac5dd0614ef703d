"""The addresses of specification 001; a trailing slash is optional and nothing redirects."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, re_path

from surfaces.management import (
    accounts,
    auth,
    auth_self,
    bot_door,
    bots,
    groups,
    health,
    metrics,
    performance,
    trading,
    webhook,
)

PREFIX = r"^api/v1/"
ACCOUNT, GROUP, BOT, EXECUTION = (
    rf"(?P<{name}_id>[^/]+)" for name in ("account", "group", "bot", "execution")
)


def _route(pattern: str, view: Callable[..., Any], name: str) -> URLPattern:
    return re_path(rf"{PREFIX}{pattern}/?$", view, name=f"management-{name}")


# Literals stand before the parameters that would swallow them.
urlpatterns = [
    _route("health", health.HealthView.as_view(), "health"),
    _route("metrics", metrics.MetricsView.as_view(), "metrics"),
    _route("auth/login", auth.LoginView.as_view(), "login"),
    _route("auth/refresh", auth.RefreshView.as_view(), "refresh"),
    _route("auth/logout", auth.LogoutView.as_view(), "logout"),
    _route("auth/me", auth.MeView.as_view(), "me"),
    _route("auth/permissions", auth_self.PermissionsView.as_view(), "permissions"),
    _route("auth/sessions", auth_self.SessionsView.as_view(), "sessions"),
    _route(
        r"auth/sessions/(?P<session_id>[^/]+)/terminate",
        auth_self.TerminateSessionView.as_view(),
        "session-terminate",
    ),
    _route("auth/password/reset", auth_self.ResetRequestView.as_view(), "password-reset"),
    _route("auth/password/reset/complete", auth_self.ResetView.as_view(), "password-complete"),
    _route("auth/mfa", auth_self.FactorView.as_view(), "mfa"),
    _route("auth/mfa/enrol", auth_self.EnrolFactorView.as_view(), "mfa-enrol"),
    _route("auth/mfa/confirm", auth_self.ConfirmFactorView.as_view(), "mfa-confirm"),
    _route("auth/mfa/recovery-codes", auth_self.RenewCodesView.as_view(), "mfa-codes"),
    _route("auth/mfa/disable", auth_self.DisableFactorView.as_view(), "mfa-disable"),
    _route("bots/create", bots.CreateBotView.as_view(), "bot-create"),
    _route("bots/list", bots.BotListView.as_view(), "bot-list"),
    _route(f"bots/{BOT}", bots.BotDetailView.as_view(), "bot"),
    _route(f"bots/{BOT}/status", bots.BotStatusView.as_view(), "bot-status"),
    _route(f"bots/{BOT}/connect-account", bots.ConnectAccountView.as_view(), "bot-connect"),
    _route(
        f"bots/{BOT}/disconnect-account", bots.DisconnectAccountView.as_view(), "bot-disconnect"
    ),
    _route(f"bots/{BOT}/terminate", bots.TerminateBotView.as_view(), "bot-terminate"),
    _route(f"bots/{BOT}/accounts", bots.BotAccountsView.as_view(), "bot-accounts"),
    _route(f"bots/{BOT}/door", bot_door.BotDoorView.as_view(), "bot-door"),
    _route(f"bots/{BOT}/secrets", bot_door.BotSecretsView.as_view(), "bot-secrets"),
    _route(f"bots/{BOT}/secrets/retire", bot_door.RetireSecretView.as_view(), "bot-retire-secret"),
    _route(f"bots/{BOT}/performance", performance.BotPerformanceView.as_view(), "bot-performance"),
    _route("accounts/create", accounts.CreateAccountView.as_view(), "account-create"),
    _route("accounts/list", accounts.AccountListView.as_view(), "account-list"),
    _route(f"accounts/{ACCOUNT}", accounts.AccountDetailView.as_view(), "account"),
    _route(
        f"accounts/{ACCOUNT}/update-credentials",
        accounts.UpdateCredentialsView.as_view(),
        "account-credentials",
    ),
    _route(f"accounts/{ACCOUNT}/sync-balance", accounts.SyncBalanceView.as_view(), "account-sync"),
    _route(f"accounts/{ACCOUNT}/dead-man", accounts.DeadManView.as_view(), "account-dead-man"),
    _route(f"accounts/{ACCOUNT}/assign-group", accounts.AssignGroupView.as_view(), "account-group"),
    _route(
        f"accounts/{ACCOUNT}/performance",
        performance.AccountPerformanceView.as_view(),
        "account-performance",
    ),
    _route("groups", groups.GroupsView.as_view(), "groups"),
    _route(f"groups/{GROUP}", groups.GroupDetailView.as_view(), "group"),
    _route(f"groups/{GROUP}/guard/reset", groups.ResetGuardView.as_view(), "group-guard-reset"),
    _route(f"groups/{GROUP}/accounts", groups.GroupAccountsView.as_view(), "group-accounts"),
    _route(
        f"groups/{GROUP}/accounts/{ACCOUNT}", groups.GroupAccountView.as_view(), "group-account"
    ),
    _route(
        f"groups/{GROUP}/performance",
        performance.GroupPerformanceView.as_view(),
        "group-performance",
    ),
    _route(f"groups/{GROUP}/metrics", performance.GroupMetricsView.as_view(), "group-metrics"),
    _route(f"groups/{GROUP}/history", performance.GroupHistoryView.as_view(), "group-history"),
    _route(f"trading/group/{GROUP}/execute", trading.ExecuteView.as_view(), "group-execute"),
    _route(f"trading/executions/{EXECUTION}", trading.ExecutionView.as_view(), "execution"),
    _route(f"trading/executions/{EXECUTION}/retry", trading.RetryView.as_view(), "execution-retry"),
    _route(
        f"trading/positions/{ACCOUNT}", trading.ClosedPositionsView.as_view(), "closed-positions"
    ),
    _route(
        f"trading/close-position/{ACCOUNT}", trading.ClosePositionView.as_view(), "close-position"
    ),
    _route(
        f"trading/terminate/{ACCOUNT}", trading.TerminateAccountView.as_view(), "terminate-account"
    ),
    _route("webhook/tradingview", webhook.tradingview, "webhook"),
    _route("webhook/tradingview/test", webhook.DoorTestView.as_view(), "webhook-test"),
    _route(r"webhook/tradingview/(?P<token>[^/]{1,200})", webhook.tradingview, "webhook-token"),
    _route(
        r"webhook/signals/(?P<correlation_id>[\w-]{1,40})", webhook.SignalView.as_view(), "signal"
    ),
]
