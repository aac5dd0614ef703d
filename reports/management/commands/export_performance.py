"""Performance as CSV: a row for each account and period, or a year's booked results."""

import csv
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from accounts.models import Account, Book
from common.clock import now, zone_named
from common.csv_cells import as_text
from common.errors import DomainError
from common.money import plain
from common.principal import system_principal
from common.terminal import USAGE, TerminalCommand
from events.log import audit
from reports.periods import DAY, INTERVALS, Span
from reports.tax import tax_rows, year_span
from reports.track_records import Figures, track_record

USUAL_DAYS = 30
PERIOD_COLUMNS = (
    "account", "name", "venue", "book", "currency", "from", "until", "starting_equity",
    "closing_equity", "deposits", "withdrawals", "time_weighted_return_percent",
    "max_drawdown_percent", "volatility_percent", "sharpe_ratio", "sortino_ratio", "deals",
    "closed_trades", "winning_trades", "win_rate_percent", "profit_factor", "realised",
    "trading_fees", "funding_fees", "net",
)  # fmt: skip
TAX_COLUMNS = (
    "time", "kind", "account", "name", "venue", "book", "symbol", "side", "quantity", "price",
    "realised", "fees", "net", "currency", "reference",
)  # fmt: skip


class Command(TerminalCommand):
    """``export_performance --interval month --output performance.csv``"""

    help = (
        "Performance of accounts by day, week or month as CSV, or with --year everything that a "
        "calendar year realised and cost, for a tax return. Examples: export_performance --from "
        "2026-01-01 --interval month --time-zone Europe/Warsaw | export_performance --year 2025 "
        "--output 2025.csv"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--account", type=int, action="append", help="only this; repeatable")
        parser.add_argument("--from", dest="first", type=_day, help="first date, 30 days back")
        parser.add_argument("--to", dest="last", type=_day, help="last date, today")
        parser.add_argument("--interval", choices=INTERVALS, default=DAY)
        parser.add_argument("--year", type=int, help="the rows of a year instead, of one book")
        parser.add_argument(
            "--book", choices=Book.values, default=Book.LIVE.value, help="of --year"
        )
        parser.add_argument("--time-zone", default="UTC", help="whose days, UTC by default")
        parser.add_argument("--output", type=Path, help="a file instead of the terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes CSV wherever it goes, or rows as JSON with ``--json``; each export is audited."""
        try:
            zone = zone_named(options["time_zone"])
            span = _span(options, zone)
        except DomainError as error:
            reason = "; ".join(error.fields.values()) or error.message
            raise self.fail(f"{error.message} {reason}", USAGE) from error
        accounts = self._accounts(options)
        if options["year"] is not None:
            columns, rows = TAX_COLUMNS, _tax(accounts, span, options["book"])
        else:
            columns, rows = PERIOD_COLUMNS, _periods(accounts, span, options["interval"])
        if options["json"]:
            self.show(columns, rows, options)
            count = None
        else:
            with _opened(options["output"], self.stdout) as file:
                count = _write(file, columns, rows)
        _record(accounts, options, span, count)
        for twins in _twins(accounts):
            self.say(f"Accounts {twins} are one at the exchange: the same trades, twice.", options)
        if count is not None:
            self.say(f"{count} rows.", options)

    def _accounts(self, options: dict[str, Any]) -> list[Account]:
        """Those asked for, deleted ones too: a year's results outlive them."""
        rows = Account.objects.order_by("pk")
        if not options["account"]:
            return list(rows)
        found = list(rows.filter(pk__in=options["account"]))
        missing = sorted(set(options["account"]) - {account.pk for account in found})
        if missing:
            raise self.fail(f"There is no account {missing[0]}.", USAGE)
        return found


def _twins(accounts: Sequence[Account]) -> list[str]:
    """The numbers of accounts that share an account at their exchange, as their keys told."""
    shared: dict[tuple[Any, ...], list[Account]] = {}
    for each in accounts:
        if each.venue_identity:
            key = (each.organisation_id, each.venue, each.is_testnet, each.market_type, each.book)
            shared.setdefault((*key, each.venue_identity), []).append(each)
    return [" and ".join(str(each.pk) for each in same) for same in shared.values() if same[1:]]


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _span(options: dict[str, Any], zone: ZoneInfo) -> Span:
    if options["year"] is not None:
        return year_span(min(max(options["year"], 1), 9999), zone)
    last = options["last"] or now().astimezone(zone).date()
    return Span(options["first"] or last - timedelta(days=USUAL_DAYS - 1), last, zone)


def _periods(accounts: Sequence[Account], span: Span, interval: str) -> Iterator[list[Any]]:
    for account in accounts:
        for each in track_record([account], span).history(interval):
            yield [
                account.pk, account.name, account.venue, account.book, account.quote_currency,
                *_period_cells(each),
            ]  # fmt: skip


def _period_cells(each: Figures) -> list[Any]:
    booked = each.booked
    return [
        each.period.label.isoformat(), each.period.last.isoformat(),
        plain(each.starting_equity), plain(each.closing_equity), plain(each.deposits),
        plain(each.withdrawals), 100 * each.growth, 100 * each.max_drawdown,
        None if each.volatility is None else 100 * each.volatility, each.sharpe_ratio,
        each.sortino_ratio, booked.deals, booked.closed, booked.won, booked.win_rate,
        booked.profit_factor, plain(booked.realised), plain(booked.fees), plain(booked.funding),
        plain(booked.net),
    ]  # fmt: skip


def _tax(accounts: Sequence[Account], span: Span, book: str) -> Iterator[list[Any]]:
    for row in tax_rows(accounts, span, book=book):
        account = row.account
        yield [
            row.at.astimezone(span.zone).isoformat(), row.kind, account.pk, account.name,
            account.venue, book, row.symbol, row.side, _filled(row.quantity), _filled(row.price),
            plain(row.realised), plain(row.fees), plain(row.net), row.currency, row.reference,
        ]  # fmt: skip


def _filled(amount: Decimal) -> str:
    return plain(amount) if amount else ""


@contextmanager
def _opened(path: Path | None, terminal: Any) -> Iterator[TextIO]:
    """The file, made for its owner only, or the terminal."""
    if path is None:
        yield terminal
        return
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file


def _write(file: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([as_text(cell) for cell in row])
        count += 1
    return count


def _record(
    accounts: Sequence[Account], options: dict[str, Any], span: Span, count: int | None
) -> None:
    told = {
        "from": span.first.isoformat(),
        "to": span.last.isoformat(),
        "kind": "tax" if options["year"] is not None else options["interval"],
        "rows": count,
    }
    for organisation_id in sorted({account.organisation_id for account in accounts}):
        audit(system_principal(organisation_id), "performance.exported", after=told)
