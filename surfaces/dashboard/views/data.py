"""Numbers for the charts, as JSON. Floats here are for drawing only; tables show the exact text."""

from typing import Any

from django.http import HttpResponse, JsonResponse

from accounts.models import Account
from bots.models import Bot
from common.clock import from_ms, to_ms
from common.errors import DomainError, Invalid
from common.money import plain
from exchanges.candles import CandleSeries
from exchanges.venues import resolve
from marketdata import services as marketdata
from reports.track_records import parts_of
from surfaces.dashboard import figures, rows
from surfaces.dashboard.access import STATUS, page
from surfaces.dashboard.lookups import account_of, group_of
from surfaces.dashboard.views.lists import number
from trading.services.folding import DUST

# Those that bots have.
TIMEFRAMES = tuple(Bot.Timeframe.values)
MOST_CANDLES = 1000
FILLS = 500


def candle_table(series: CandleSeries) -> list[dict[str, Any]]:
    """Candles as rows for a table, newest first, prices as text; ``is_forming`` marks one that may
    still change.
    """
    names = ("open", "high", "low", "close", "volume")
    table: list[dict[str, Any]] = [
        {"at": from_ms(row[0]), **dict(zip(names, row[1:6], strict=False))}
        for row in reversed(series.rows)
    ]
    if table:
        table[0]["is_forming"] = series.is_forming
    return table


def _refused(error: DomainError) -> JsonResponse:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    return JsonResponse({"code": error.code, "message": error.message}, status=status)


@page
def candles(request: Any) -> HttpResponse:
    """Candles of an account's venue and the account's fills.

    Takes ``account``, ``symbol``, ``timeframe``, ``limit``.
    """
    query = request.GET
    timeframe, limit = query.get("timeframe", "1m"), query.get("limit", "300")
    account_id = number(query.get("account"))
    try:
        if timeframe not in TIMEFRAMES or not limit.isdecimal() or account_id is None:
            raise Invalid("Wrong timeframe, limit or account.")
        account = account_of(request.principal, account_id)
        symbol = query.get("symbol", "").replace("\0", "")
        venue = resolve(account.venue, is_testnet=account.is_testnet)
        found = marketdata.candles(
            venue,
            symbol,
            timeframe,
            min(max(int(limit[:6]), 1), MOST_CANDLES),
            account.market_type,
        )
    except DomainError as error:
        return _refused(error)
    deals = rows.deals(request.principal).filter(account=account, symbol=symbol)
    executed = deals.exclude(reason=DUST)[:FILLS]
    return JsonResponse(
        {
            "candles": [
                [row[0] // 1000, *(float(value) for value in row[1:5])] for row in found.rows
            ],
            "resampled_from": found.resampled_from,
            "is_forming": found.is_forming,
            "fills": [
                {
                    "id": deal.pk,
                    "at": to_ms(deal.executed_at) // 1000,
                    "side": deal.side,
                    "quantity": plain(deal.quantity),
                    "price": plain(deal.price),
                }
                for deal in reversed(executed)
            ],
        }
    )


@page
def equity(request: Any) -> HttpResponse:
    """The equity line of one ``account``, of the larger part of a ``group``, or of a ``book`` and
    ``currency``.
    """
    try:
        line = figures.equity_line([account.pk for account in _drawn(request)])
    except DomainError as error:
        return _refused(error)
    return JsonResponse(
        {"at": [at for at, _ in line], "equity": [float(value) for _, value in line]}
    )


def _drawn(request: Any) -> list[Account]:
    """The accounts of a line; raises NotFound."""
    query, accounts = request.GET, Account.objects.visible_to(request.principal)
    if query.get("account"):
        return [account_of(request.principal, number(query["account"]) or 0)]
    if query.get("group"):
        group = group_of(request.principal, number(query["group"]) or 0)
        parts = parts_of(accounts.filter(groups=group))
        return parts[0] if parts else []
    return list(
        accounts.exclude(status=Account.Status.DISABLED).filter(
            book=query.get("book", ""), quote_currency=query.get("currency", "")
        )
    )
