"""001's performance of accounts, groups and bots. Percentages are percent (5 means 5 %)."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from bots.models import Bot
from common.clock import iso, now, zone_named
from common.errors import Invalid
from groups.models import Group
from reports.accounts import details_of
from reports.bots import bot_accounts
from reports.periods import DAY, INTERVALS, MONTH, WEEK, Span
from reports.track_records import Figures, TrackRecord, track_record, track_records, unrealised_of
from surfaces.filters import known_parameters
from surfaces.lookups import find
from surfaces.management.dialect import ManagementView, envelope
from surfaces.policy import Policy
from surfaces.rendering import number

DATES = ("start_date", "end_date", "time_zone")
USUAL_DAYS = 7
RISK_DAYS = 30
LATEST_DAYS = 30


class PerformanceView(ManagementView):
    """What reads a span of days from the query: ``start_date``, ``end_date`` (both included) and
    ``time_zone``.
    """

    policy = Policy.AUTHENTICATED

    def span(self, request: Request, *, usual: int, also: Iterable[str] = ()) -> Span:
        """The span asked for, ``usual`` days up to today without dates; raises Invalid."""
        known_parameters(request, {*DATES, *also})
        zone = zone_named(request.query_params.get("time_zone") or "UTC")
        today = now().astimezone(zone).date()
        last = _date_named(request, "end_date", zone) or today
        first = _date_named(request, "start_date", zone) or last - timedelta(days=usual - 1)
        return Span(first, last, zone)

    def group_accounts(self, group: Group) -> list[Account]:
        """The group's accounts that the caller may read, by number."""
        return list(Account.objects.visible_to(self.principal).filter(groups=group).order_by("pk"))


class AccountPerformanceView(PerformanceView):
    """One account over some days."""

    def get(self, request: Request, account_id: str) -> Response:
        """Metrics of the span, and its ``history`` where an ``interval`` is asked for."""
        account = find(Account.objects.visible_to(self.principal), account_id, what="account")
        span = self.span(request, usual=USUAL_DAYS, also=["interval"])
        record = track_record([account], span)
        metrics = {**_labels(record), **_figures(record.whole)}
        metrics["unrealised_pnl"] = number(unrealised_of([account]))
        answer = {"account_id": str(account.pk), "time_range": _range(span), "metrics": metrics}
        if "interval" in request.query_params:
            interval = _interval(request)
            answer |= {"interval": interval, "history": _history(record, interval)}
        return Response(answer)


class GroupPerformanceView(PerformanceView):
    """A group's accounts together over some days."""

    def get(self, request: Request, group_id: str) -> Response:
        """Of the book and currency that most of its accounts are in; ``others`` are the rest."""
        group = find(Group.objects.visible_to(self.principal), group_id, what="group")
        span = self.span(request, usual=USUAL_DAYS)
        records = track_records(self.group_accounts(group), span)
        first, *others = [_group_part(group, record) for record in records] or [{}]
        data = {"performance": {"time_range": _range(span), **first, "others": others}}
        return Response(envelope("Group performance retrieved successfully", data))


class GroupHistoryView(PerformanceView):
    """A group's days, weeks or months."""

    def get(self, request: Request, group_id: str) -> Response:
        """Rows of the book and currency that most of its accounts are in, the oldest first."""
        group = find(Group.objects.visible_to(self.principal), group_id, what="group")
        span = self.span(request, usual=LATEST_DAYS, also=["interval"])
        interval = _interval(request)
        records = track_records(self.group_accounts(group), span)
        data = {
            "history": _history(records[0], interval) if records else [],
            "interval": interval,
            "period": {"start": span.first.isoformat(), "end": span.last.isoformat()},
            **(_labels(records[0]) if records else {}),
        }
        return Response(envelope("Group history retrieved successfully", data))


class GroupMetricsView(PerformanceView):
    """A group's risk over the last days, and how its accounts' venues and balances do."""

    def get(self, request: Request, group_id: str) -> Response:
        """Risk of the span (30 days), of the book and currency that most accounts are in."""
        group = find(Group.objects.visible_to(self.principal), group_id, what="group")
        span = self.span(request, usual=RISK_DAYS)
        accounts = self.group_accounts(group)
        records = track_records(accounts, span)
        details = details_of(self.principal, accounts)
        connected = {str(each.account.pk): each.is_connected for each in details}
        data = {
            "risk_metrics": _risk(group, records, span),
            "websocket_health": {
                "active_connections": sum(connected.values()),
                "total_accounts": len(details),
                "results": connected,
                "timestamp": iso(now()),
            },
            "balance_status": _balances([each.account for each in details]),
        }
        return Response(envelope("Group metrics retrieved successfully", data))


class BotPerformanceView(PerformanceView):
    """What a bot earned on the accounts it reaches."""

    def get(self, request: Request, bot_id: str) -> Response:
        """Rows by first date of each day, week and month, and the span of each account."""
        bot = find(Bot.objects.visible_to(self.principal), bot_id, what="bot")
        span = self.span(request, usual=LATEST_DAYS)
        accounts = bot_accounts(self.principal, bot)
        records = track_records(accounts, span, owner=bot.magic_id)
        rows: dict[str, Any] = {
            name: {row["date"]: row for row in _history(records[0], interval)} if records else {}
            for name, interval in (("daily", DAY), ("weekly", WEEK), ("monthly", MONTH))
        }
        alone = [track_record([each], span, owner=bot.magic_id) for each in accounts]
        rows["accounts"] = {
            str(record.accounts[0].pk): {**_labels(record), **_figures(record.whole)}
            for record in alone
        }
        if records:
            rows["metrics"] = {**_labels(records[0]), **_figures(records[0].whole)}
        return Response({**rows, "time_range": _range(span)})


def _date_named(request: Request, name: str, zone: Any) -> date | None:
    """A date, or the date of a time with its zone; raises Invalid."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        day = parse_date(text)
        # A plus sign in a query that was not encoded arrives as a blank.
        moment = parse_datetime(text.replace(" ", "+")) if day is None else None
    except ValueError:
        day = moment = None
    if day is None and (moment is None or moment.tzinfo is None):
        raise Invalid("Not a date.", fields={name: "must be a date such as 2026-01-31"})
    try:
        return day or _local(moment, zone)
    except OverflowError as error:
        raise Invalid("Not a date.", fields={name: "is out of range"}) from error


def _local(moment: datetime | None, zone: Any) -> date | None:
    return None if moment is None else moment.astimezone(zone).date()


def _interval(request: Request) -> str:
    interval = request.query_params.get("interval", DAY).lower()
    if interval not in INTERVALS:
        raise Invalid(
            "There is no such interval.",
            fields={"interval": "must be one of " + ", ".join(INTERVALS)},
        )
    return interval


def _range(span: Span) -> dict[str, str]:
    return {
        "start_date": iso(span.start),
        "end_date": iso(min(span.end, max(now(), span.start))),
        "time_zone": span.zone.key,
    }


def _labels(record: TrackRecord) -> dict[str, Any]:
    return {"book": record.book, "currency": record.currency, "accounts": len(record.accounts)}


def _history(record: TrackRecord, interval: str) -> list[dict[str, Any]]:
    return [
        {
            "date": each.period.label.isoformat(),
            "start": iso(each.period.start),
            "end": iso(each.period.end),
            **_figures(each),
        }
        for each in record.history(interval)
    ]


def _figures(each: Figures) -> dict[str, Any]:
    booked = each.booked
    return {
        "starting_equity": number(each.starting_equity),
        "closing_equity": number(each.closing_equity),
        "deposits": number(each.deposits),
        "withdrawals": number(each.withdrawals),
        "time_weighted_return": _percent(each.growth),
        **_risk_figures(each),
        "deals": booked.deals,
        "closed_trades": booked.closed,
        "winning_trades": booked.won,
        "win_rate": booked.win_rate,
        "profit_factor": booked.profit_factor,
        "closed_trade_value": number(booked.value),
        "realised_pnl": number(booked.realised),
        "trading_fees": number(booked.fees),
        "funding_fees": number(booked.funding),
        "net_pnl": number(booked.net),
    }


def _risk_figures(each: Figures) -> dict[str, Any]:
    return {
        "max_drawdown": _percent(each.max_drawdown),
        "volatility": _percent(each.volatility),
        "sharpe_ratio": each.sharpe_ratio,
        "sortino_ratio": each.sortino_ratio,
    }


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100.0 * fraction


def _group_part(group: Group, record: TrackRecord) -> dict[str, Any]:
    return {
        **_labels(record),
        **_figures(record.whole),
        "unrealised_pnl": number(unrealised_of(record.accounts)),
        "target_monthly_roi": number(group.target_monthly_roi),
        "months": [
            {
                "date": each.period.label.isoformat(),
                "time_weighted_return": _percent(each.growth),
                "above_target": _above(each, group.target_monthly_roi),
            }
            for each in record.history(MONTH)
        ],
    }


def _above(month: Figures, target: Decimal) -> float | None:
    """How many percentage points a whole month's return lies above the target, below where
    negative; None for a part of a month.
    """
    if month.growth is None or not month.period.is_whole_month:
        return None
    return 100.0 * month.growth - float(target)


def _risk(group: Group, records: Sequence[TrackRecord], span: Span) -> dict[str, Any]:
    names = ("max_drawdown", "volatility", "sharpe_ratio", "sortino_ratio")
    figures = _risk_figures(records[0].whole) if records else dict.fromkeys(names)
    labels = _labels(records[0]) if records else {}
    return {
        **labels,
        **figures,
        "max_drawdown_limit": number(group.max_drawdown),
        "risk_limit": number(group.risk_limit),
        "days": span.days,
    }


def _balances(accounts: Sequence[Account]) -> dict[str, Any]:
    """Each account's last reading, or why there is none; sums by currency are not mixed."""
    totals: dict[str, dict[str, Any]] = {}
    for account in accounts:
        total = totals.setdefault(account.quote_currency, {"balance": 0, "equity": 0})
        total["balance"] += account.balance
        total["equity"] += account.equity
    return {
        "accounts": [
            {
                "account_id": str(account.pk),
                "success": not account.sync_error and account.synced_at is not None,
                "balance": number(account.balance),
                "equity": number(account.equity),
                "currency": account.quote_currency,
                "error": account.sync_error or None,
            }
            for account in accounts
        ],
        "totals": {
            currency: {name: number(amount) for name, amount in total.items()}
            for currency, total in totals.items()
        },
    }
