"""Accounts and one account."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from accounts.models import Account
from common.principal import TRADE, Principal
from exchanges.venues import resolve
from marketdata.services import candles
from reports.accounts import stream_of
from reports.bots import bots_reaching
from surfaces.dashboard import figures, rows
from surfaces.dashboard.access import page
from surfaces.dashboard.lookups import account_of
from surfaces.dashboard.views.data import TIMEFRAMES, candle_table
from surfaces.dashboard.views.lists import text_of
from trading.models import Order, VenueCountdown
from users.permissions import MANAGE, may

ROWS = 25
DEFAULT_SYMBOL = "BTC/USDT"


@page
def account_list(request: Any) -> HttpResponse:
    """All accounts with balance, equity and the age of both."""
    principal = request.principal
    listed = rows.prepared(principal, "accounts", rows.accounts(principal))
    return render(
        request,
        "dashboard/accounts.html",
        {
            "accounts": listed,
            "books": sorted({account.book for account in listed}),
            "may_manage": may(principal, MANAGE),
            "live": "accounts",
            "section": "accounts",
        },
    )


def _symbols(principal: Principal, account: Account) -> list[str]:
    orders = Order.objects.visible_to(principal).filter(account=account)
    traded = orders.order_by().values_list("symbol", flat=True)
    return sorted(set(traded.distinct()[:50])) or [DEFAULT_SYMBOL]


@page
def account_detail(request: Any, account_id: int) -> HttpResponse:
    """Key figures, positions, orders, deals, the equity line and a chart with the fills."""
    principal = request.principal
    account = account_of(principal, account_id)
    symbols = _symbols(principal, account)
    symbol = text_of(request, "symbol").upper() or symbols[0]
    timeframe = request.GET.get("timeframe", "1m")
    if timeframe not in TIMEFRAMES:
        timeframe = TIMEFRAMES[0]

    def newest(name: str, queryset: Any) -> list[Any]:
        return rows.prepared(principal, name, queryset.filter(account=account)[:ROWS])

    as_table = request.GET.get("view") == "table"
    series = None
    if as_table:
        venue = resolve(account.venue, is_testnet=account.is_testnet)
        series = candles(venue, symbol, timeframe, ROWS, account.market_type)
    return render(
        request,
        "dashboard/account.html",
        {
            "account": account,
            "books": [account.book],
            "stream": stream_of(account),
            "countdowns": VenueCountdown.objects.visible_to(principal).filter(account=account),
            "balances": rows.prepared(principal, "balances", [account])[0],
            "positions": newest("positions", rows.positions(principal).open()),
            "orders": newest("orders", rows.orders(principal)),
            "deals": newest("deals", rows.deals(principal)),
            "switches": figures.engaged_switches(principal),
            "groups": rows.groups(principal).filter(accounts=account),
            "bots": bots_reaching(principal, account),
            "may_trade": principal.may(TRADE, account.pk),
            "may_manage": may(principal, MANAGE),
            "symbols": symbols if symbol in symbols else [*symbols, symbol],
            "symbol": symbol,
            "timeframe": timeframe,
            "timeframes": TIMEFRAMES,
            "as_table": as_table,
            "resampled_from": series.resampled_from if series else None,
            "table": candle_table(series) if series else [],
            "live": "accounts,balances,positions,orders,deals",
            "section": "accounts",
        },
    )
