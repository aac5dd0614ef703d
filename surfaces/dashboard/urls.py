"""Routes of the dashboard, mounted at ``/dashboard/``."""

from django.urls import path

from .views import (
    accounts,
    acts,
    data,
    entrance,
    lists,
    overview,
    reset,
    second_factor,
    security,
    settings,
    signals,
    ticket,
)

app_name = "dashboard"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("login/", entrance.enter, name="login"),
    path("login/code/", entrance.code, name="code"),
    path("logout/", entrance.leave, name="logout"),
    path("reset/", reset.reset, name="reset"),
    path("settings/", settings.settings, name="settings"),
    path("security/", security.security, name="security"),
    path("security/password/", security.password, name="password"),
    path("security/sessions/<uuid:sid>/end/", security.end_session, name="end_session"),
    path("security/factor/", second_factor.factor, name="factor"),
    path("security/factor/begin/", second_factor.begin, name="begin_factor"),
    path("security/factor/codes/", second_factor.renew, name="renew_codes"),
    path("security/factor/disable/", second_factor.disable, name="disable_factor"),
    path("first-steps/", overview.first_steps, name="first_steps"),
    path("accounts/", accounts.account_list, name="accounts"),
    path("accounts/<int:account_id>/", accounts.account_detail, name="account"),
    path("orders/", lists.order_list, name="orders"),
    path("orders/<int:order_id>/", lists.order_detail, name="order"),
    path("orders/<int:order_id>/cancel/", acts.cancel, name="cancel_order"),
    path("positions/", lists.position_list, name="positions"),
    path("positions/<int:position_id>/close/", acts.close, name="close_position"),
    path("ticket/", ticket.ticket, name="ticket"),
    path("ticket/estimate/", ticket.ticket_estimate, name="ticket_estimate"),
    path("signals/", signals.signal_list, name="signals"),
    path("signals/<str:correlation_id>/", signals.signal_detail, name="signal"),
    path("stop/", acts.stop, name="stop"),
    path("stop/<int:switch_id>/release/", acts.release, name="release"),
    path("alerts/<int:alert_id>/acknowledge/", acts.acknowledge, name="acknowledge"),
    path("data/candles", data.candles, name="candles"),
    path("data/equity", data.equity, name="equity"),
]
