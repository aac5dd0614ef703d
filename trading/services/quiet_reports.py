"""Poll reports that bring nothing new, written for several accounts together.

An account that trades is told of its fills by its orders' answers or its stream; most polls only
confirm that. Such a report moves the cursors, compares what is held and brings the balances up to
date: one transaction for a group of them, in a number of statements that does not grow with it.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from django.db import transaction

from accounts.books import SIMULATED
from accounts.models import Account
from common.bulk import update_rows
from common.readings import Reading, read_together
from trading.models import Deal, Order, Position, TradeCursor

from .agenda import Agenda, Report
from .agreement import IN_DOUBT, compare
from .balances import store_all_balances
from .cursors import moved_on
from .venue_modes import has_venue_mode

logger = logging.getLogger(__name__)

Pair: TypeAlias = tuple[Agenda, Report]
# Accounts whose orders are answered meanwhile wait for the cursors of their group.
TOGETHER = 10
BOOKED = Reading(
    "booked",
    "account_id, book, symbol, exchange_trade_id",
    f"FROM {Deal._meta.db_table} WHERE account_id {{in_accounts}} AND symbol {{in_symbols}}"
    " AND exchange_trade_id {in_trades}",
)


def newest_deal() -> int:
    """The number of the last deal written; deals written from now on have higher ones."""
    return Deal.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def write_quiet(pairs: Sequence[Pair], asked_after: int) -> tuple[list[Account], list[Pair]]:
    """Write the reports that bring nothing new; returns the accounts they were of, and the pairs
    that need an import of their own. ``asked_after`` is the :func:`newest_deal` before the venues
    were asked.
    """
    quiet: list[Pair] = []
    rest: list[Pair] = []
    for pair in pairs:
        (quiet if _confirms(*pair) else rest).append(pair)
    written: list[Account] = []
    for start in range(0, len(quiet), TOGETHER):
        group = quiet[start : start + TOGETHER]
        try:
            done = _write(group, asked_after)
        except Exception:  # one bad report must not take the others: each is imported alone
            logger.exception("reports of %s accounts not written together", len(group))
            done = []
        accounts = [agenda.account for agenda, _ in done]
        written += accounts
        rest += [pair for pair in group if pair[0].account not in accounts]
    return written, rest


def _confirms(agenda: Agenda, report: Report) -> bool:
    """Whether a report may bring nothing new: of the account's own book at its venue, without
    orders, payments, a question for transfers and a change of mode.
    """
    account = agenda.account
    has_news = report.orders or report.missing or report.strangers or report.funding
    is_longer = agenda.transfers_since is not None
    if has_news or is_longer or account.is_view or account.book in SIMULATED:
        return False
    return has_venue_mode(account, report.is_hedged)


@transaction.atomic
def _write(group: Sequence[Pair], asked_after: int) -> list[Pair]:
    """Write those of the group whose trades are all booked; returns them."""
    ids = [agenda.account.pk for agenda, _ in group]
    cursors = _locked_cursors(ids)
    booked = _booked(group)
    done = [pair for pair in group if _is_booked(*pair, cursors, booked)]
    moving = _moving(ids, asked_after)
    held = list(Position.objects.open().filter(account__in=ids))
    advanced = []
    for agenda, report in done:
        account = agenda.account
        own = {symbol: cursors[account.pk, symbol] for symbol in report.trades}
        for symbol, cursor in own.items():
            moved_on(agenda, symbol, cursor, report.asked_ms)
            advanced.append(cursor)
        rows = [each for each in held if (each.account_id, each.book) == (account.pk, account.book)]
        compare(
            account,
            own,
            moving.get(account.pk, set()),
            held=rows,
            balances=report.balances,
            positions=report.positions,
        )
    update_rows(advanced, ("since_ms", "checked_at"))
    store_all_balances([(agenda.account, report.balances) for agenda, report in done])
    return done


def _locked_cursors(account_ids: Iterable[int]) -> dict[tuple[int, str], TradeCursor]:
    """All cursors of these accounts under their row locks, taken in the usual order."""
    rows = TradeCursor.objects.select_for_update(no_key=True).order_by("account_id", "symbol")
    return {(row.account_id, row.symbol): row for row in rows.filter(account__in=account_ids)}


def _booked(group: Sequence[Pair]) -> set[tuple[int, str, str, str]]:
    """Those of the told trades that are deals."""
    trades = [each for _, report in group for told in report.trades.values() for each in told]
    found = read_together(
        [BOOKED],
        accounts={agenda.account.pk for agenda, _ in group},
        symbols={each.symbol for each in trades},
        trades={each.trade_id for each in trades},
    )
    return {(int(row[0]), str(row[1]), str(row[2]), str(row[3])) for row in found[BOOKED.name]}


def _is_booked(
    agenda: Agenda,
    report: Report,
    cursors: dict[tuple[int, str], TradeCursor],
    booked: set[tuple[int, str, str, str]],
) -> bool:
    account = agenda.account
    return all(
        (account.pk, symbol) in cursors
        and all((account.pk, account.book, symbol, each.trade_id) in booked for each in trades)
        for symbol, trades in report.trades.items()
    )


def _moving(account_ids: Sequence[int], asked_after: int) -> dict[int, set[str]]:
    """The symbols, by account, whose ledger may have moved since the venues were asked."""
    doubtful = Order.objects.filter(account__in=account_ids, state__in=IN_DOUBT).order_by()
    later = Deal.objects.filter(account__in=account_ids, pk__gt=asked_after).order_by()
    found: dict[int, set[str]] = {}
    for rows in (doubtful, later):
        for account_id, symbol in rows.values_list("account_id", "symbol"):
            found.setdefault(account_id, set()).add(symbol)
    return found
