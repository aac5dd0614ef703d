"""Watching the drawdown of groups: after every reading of an account's equity, and so after its
deals, since a poll follows a fill.

Runs as a durable consumer of ``account.synced``; safe to repeat.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts.books import SIMULATED, counted_currency
from accounts.models import Account
from common.clock import now
from events.models import Event
from groups.models import Group, Membership
from riskmgmt.group_guards import keep, latch, line_of
from riskmgmt.models import GroupGuard
from riskmgmt.unit_values import EquityReading, Flow, Line, begin, went_on
from trading.models import CashFlow, TransferCursor

from .transfers import ask_for_transfers

# So long a breach may wait for the withdrawal that would explain it; then it latches.
PATIENCE = timedelta(seconds=60)


def of_groups(events: Sequence[Event]) -> list[Event]:
    """The last event of each group among readings of accounts: it is judged by all of them."""
    members = Membership.objects.filter(
        account__in={event.payload["account_id"] for event in events}
    )
    groups: dict[int, set[int]] = {}
    for account_id, group_id in members.values_list("account_id", "group_id"):
        groups.setdefault(account_id, set()).add(group_id)
    if not groups:
        return []
    done: set[tuple[int, str, str]] = set()
    kinds = {
        account.pk: (account.book, counted_currency(account))
        for account in Account.objects.filter(pk__in=groups).only("pk", "book", "quote_currency")
    }
    found = []
    for event in reversed(events):
        account_id = event.payload["account_id"]
        lines = {(group_id, *kinds[account_id]) for group_id in groups.get(account_id, ())}
        if lines - done:
            done |= lines
            found.append(event)
    return found[::-1]


def judge(event: Event) -> None:
    """Handler: bring the guards of the account's groups up to date."""
    account = Account.objects.filter(pk=event.payload["account_id"], deleted_at=None).first()
    if account is None:
        return
    for group in Group.objects.filter(memberships__account=account).order_by("pk"):
        judge_group(group, book=account.book, currency=counted_currency(account))


@transaction.atomic
def judge_group(group: Group, *, book: str, currency: str) -> GroupGuard | None:
    """Bring one guard of a group up to date and latch it at a breach; a latched one stays as it is.
    None where no account of the group was read yet in this book and currency.

    Locks the guard.
    """
    members = [
        account
        for account in group.accounts.filter(deleted_at=None, book=book).order_by("pk")
        if account.equity_at and counted_currency(account) == currency
    ]
    if not members:
        return None
    moment = now()
    readings = {
        each.pk: EquityReading(each.equity, each.equity_at) for each in members if each.equity_at
    }
    guards = GroupGuard.objects.current().select_for_update(no_key=True)
    guard = guards.filter(group_id=group.pk, book=book, currency=currency).first()
    if guard is None:
        return _new_guard(group, book, currency, begin(readings, moment), moment)
    if guard.latched_at is not None:
        return guard
    line = line_of(guard)
    known = _transfers_known(members)
    line = went_on(
        line,
        readings,
        _flows(members, line),
        known_until=min(known.values(), default=moment),
        at=moment,
    )
    keep(guard, line, moment)
    _decide(guard, group, line, known, moment)
    return guard


def _new_guard(group: Group, book: str, currency: str, line: Line, moment: datetime) -> GroupGuard:
    guard = GroupGuard(
        organisation_id=group.organisation_id,
        group_id=group.pk,
        book=book,
        currency=currency,
        started_at=moment,
    )
    keep(guard, line, moment)
    guard.save()
    return guard


def _decide(
    guard: GroupGuard,
    group: Group,
    line: Line,
    known: Mapping[int, datetime],
    moment: datetime,
) -> None:
    """Save the guard, latched where the drawdown has reached the group's limit.

    What looks like a loss may be a withdrawal that nobody asked the venue for yet: it is asked at
    once, and the breach waits for the answer, though not for long.
    """
    if line.drawdown < group.max_drawdown:
        guard.suspected_at = None
        guard.save()
        return
    guard.suspected_at = guard.suspected_at or moment
    untold = [account_id for account_id, at in known.items() if at < guard.suspected_at]
    if not untold or moment - guard.suspected_at >= PATIENCE:
        latch(guard, group, moment)
        return
    guard.save()
    if guard.suspected_at == moment:
        ask_for_transfers(untold)


def _transfers_known(members: Sequence[Account]) -> dict[int, datetime]:
    """Up to when the transfers of accounts are known, for those whose venue tells them."""
    sent = {each.pk: each.created_at for each in members if each.book not in SIMULATED}
    for cursor in TransferCursor.objects.filter(account__in=sent):
        if cursor.error:
            del sent[cursor.account_id]
        else:
            sent[cursor.account_id] = cursor.checked_at
    return sent


def _flows(members: Sequence[Account], line: Line) -> list[Flow]:
    """The deposits and withdrawals that may matter since the line's settled stand."""
    first = min((each.at for each in line.settled.readings.values()), default=line.settled.at)
    late = Q(executed_at__gt=first) | Q(created_at__gt=line.settled.at)
    rows = CashFlow.objects.capital().filter(late, account__in=members, book=members[0].book)
    return [
        Flow(
            number=row.pk,
            account_id=row.account_id,
            value=row.value,
            at=row.executed_at,
            told_at=row.created_at,
            before=_reading_before(row),
        )
        for row in rows.order_by("executed_at", "pk")
    ]


def _reading_before(row: CashFlow) -> EquityReading | None:
    if row.equity_before is None or row.read_at is None:
        return None
    return EquityReading(row.equity_before, row.read_at)
