"""The poll: balances, working orders and trades of each account, imported so that a repeat changes
nothing.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from accounts.books import SIMULATED
from accounts.models import Account, StreamStatus
from common.clock import from_ms, now, now_ms
from common.crypto import SealError
from common.errors import DomainError, Invalid, Unavailable
from exchanges.connection import is_patient
from exchanges.gateway import gateway, gathered
from exchanges.outcomes import REFUSED, VenueError
from exchanges.protocol import VenueOrder, VenueTrade
from monitoring.alerts import raise_alert
from monitoring.models import Alert
from trading import states
from trading.models import Deal, Order, TradeCursor

from .agenda import OVERLAP_MS, Agenda, Report, agendas_of, ask
from .agreement import IN_DOUBT, changed_since, compare
from .balances import store_balances
from .cursors import moved_on
from .fills import import_trades, is_sound, locked_cursor
from .following import follow_wallets
from .funding import import_funding
from .poll_rounds import LARGEST, RoundSizes, due_now, pause_now, streamed_among
from .quiet_reports import newest_deal, write_quiet
from .settlement import settle_found, suspend_moved, suspend_refused
from .stream_status import distrust
from .transfers import import_transfers
from .transitions import Moves
from .venue_access import demand_address
from .venue_modes import note_venue_mode

logger = logging.getLogger(__name__)

BUSY_SECONDS = 2
MISSED_POLLS = 3
# A stream that has not told a trade after so long is deaf.
STREAM_PATIENCE = timedelta(seconds=5)
POLL_TIMEOUT = 60.0
ACCOUNT_TIMEOUT = 30.0

_round_sizes = RoundSizes()


def poll_due(venue: str | None = None) -> int:
    """Poll the accounts, all or those at a venue, whose time has come; returns how many. Safe to
    run in several workers.
    """
    accounts = _claim_due(venue=venue)
    if accounts:
        began = time.monotonic()
        poll(accounts)
        if venue is not None:
            _round_sizes.took(venue, len(accounts), time.monotonic() - began)
    return len(accounts)


def poll_now(account_ids: Sequence[int]) -> int:
    """Poll those of these accounts that are due, whoever else polls; returns how many."""
    count = 0
    while accounts := _claim_due(only=account_ids):
        poll(accounts)
        count += len(accounts)
    return count


def nudge(account_ids: Iterable[int], *, within: float) -> None:
    """Make accounts due within so many seconds, if they are not due earlier."""
    at = now() + timedelta(seconds=within)
    Account.objects.filter(pk__in=list(account_ids), next_poll_at__gt=at).update(next_poll_at=at)


def _claim_due(only: Sequence[int] | None = None, venue: str | None = None) -> list[Account]:
    moment = now()
    due = due_now(moment)
    if only is not None:
        due = due.filter(pk__in=only)
    if venue is not None:
        due = due.filter(venue=venue)
    most = LARGEST if venue is None else _round_sizes.of(venue)
    ids = list(due.order_by("next_poll_at", "pk").values_list("pk", flat=True)[:most])
    if not ids:
        return []
    with transaction.atomic():
        # Accounts that an order is being written for may wait for the next round.
        rows = due.select_for_update(no_key=True, skip_locked=only is None)
        accounts = list(rows.filter(pk__in=ids).order_by("pk"))
        streamed = streamed_among(accounts)
        pauses = settings.STREAMED_RECONCILE_SECONDS, pause_now()
        for members, pause in zip((streamed, {*ids} - streamed), pauses, strict=True):
            found = [account.pk for account in accounts if account.pk in members]
            if found:
                at = moment + timedelta(seconds=pause)
                Account.objects.filter(pk__in=found).update(next_poll_at=at)
    return accounts


def poll(accounts: Sequence[Account]) -> None:
    """Ask and import for these accounts, all venues at once; one account's failure is its own.

    One whose venue is not where it was is not asked: its credentials are for the old address.
    """
    agendas = agendas_of(_in_place(accounts))
    asked_after = newest_deal()
    answers = gateway().run(_ask_all(agendas), timeout=POLL_TIMEOUT)
    reports: list[tuple[Agenda, Report]] = []
    for agenda, answer in zip(agendas, answers, strict=True):
        if isinstance(answer, BaseException):
            note_failure(agenda.account, answer)
        else:
            reports.append((agenda, answer))
    again, unclear = follow_wallets(reports)
    for account, error in unclear.items():
        note_failure(account, error)
    complete = [pair for pair in reports if pair[0].account not in unclear]
    confirmed, others = write_quiet(complete, asked_after)
    _schedule(confirmed)
    for agenda, report in others:
        try:
            import_report(agenda, report)
        except Exception:  # the outer loop of the poll: the other accounts go on
            logger.exception(
                "poll of account %s not written; it will be repeated", agenda.account.pk
            )
    nudge(again, within=0)


def _in_place(accounts: Sequence[Account]) -> list[Account]:
    """Those that may be asked; the others keep why not."""
    found = []
    for account in accounts:
        try:
            demand_address(account)
        except Invalid as error:
            note_failure(account, error)
        else:
            found.append(account)
    return found


async def _ask_all(agendas: Iterable[Agenda]) -> list[Report | BaseException]:
    """A poll asks for much and can wait: orders, cancels and prices go first."""
    is_patient.set(True)
    return await gathered(asyncio.wait_for(ask(agenda), ACCOUNT_TIMEOUT) for agenda in agendas)


@transaction.atomic
def import_report(agenda: Agenda, report: Report) -> None:
    """Write everything one poll brought, in one transaction: adopt, import deals, follow states,
    balances.
    """
    account = agenda.account
    moves, began = Moves(), now()
    note_venue_mode(account, report.is_hedged)
    cursors = {symbol: locked_cursor(account, symbol) for symbol in sorted(report.trades)}
    unsettled = changed_since(account, report.asked_ms)
    for stranger in report.strangers:
        _adopt(account, stranger, moves)
    for symbol, trades in report.trades.items():
        held_back = _unexplained(account, symbol, trades, report.strangers)
        sound = [each for each in trades if each not in held_back]
        is_new = import_trades(account, symbol, sound, moves, strangers=report.strangers)
        if is_new and account.book not in SIMULATED:
            _suspect_stream(account, symbol, began, report.asked_ms)
        if account.book not in SIMULATED:
            _advance(agenda, cursors[symbol], trades, held_back, report.asked_ms)
    rows = Order.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    for order in rows.filter(pk__in=report.orders).order_by("pk"):
        settle_found(order, report.orders[order.pk], moves, cause="poll")
    _note_missing(report)
    import_funding(account, cursors, report.funding)
    moves.flush()
    if not account.is_view:
        compare(account, cursors, unsettled, balances=report.balances, positions=report.positions)
        store_balances(account, report.balances)
    if agenda.transfers_since is not None:
        import_transfers(account, report.transfers or (), report.transfers_error)
    _schedule([account])


def _suspect_stream(account: Account, symbol: str, began: datetime, asked_ms: int) -> None:
    """Distrust the account's stream when this poll booked what it should have told long before."""
    told_by = from_ms(asked_ms) - STREAM_PATIENCE
    missed = Deal.objects.filter(
        account=account,
        book=account.book,
        symbol=symbol,
        created_at__gte=began,
        executed_at__lt=told_by,
    )
    newest = missed.order_by("executed_at").values_list("executed_at", flat=True).last()
    if newest is not None:
        distrust(account, since=newest)


def _adopt(account: Account, found: VenueOrder, moves: Moves) -> None:
    """Tie an order at the venue that carries a client id of ours to its row, whatever the row's
    state.
    """
    if not found.client_order_id:
        return
    order = (
        Order.objects.select_for_update(of=("self",), no_key=True)
        .select_related("account")
        .filter(account=account, client_order_id=found.client_order_id)
        .first()
    )
    if order is not None:
        settle_found(order, found, moves, cause="adoption")


def _unexplained(
    account: Account, symbol: str, trades: Sequence[VenueTrade], strangers: Iterable[VenueOrder]
) -> list[VenueTrade]:
    """Trades that may belong to an order of ours whose outcome is not known yet: the venue tells
    the trade already and not yet the order. They wait, so that none becomes a stranger's deal. An
    order held for dead may turn up as well, so next to one young trades wait for a while.
    """
    doubtful = Order.objects.filter(
        account=account, book=account.book, symbol=symbol, state__in=IN_DOUBT | states.ADOPTABLE
    )
    found = set(doubtful.order_by().values_list("state", flat=True).distinct())
    if not found:
        return []
    since_ms = 0 if found & IN_DOUBT else now_ms() - OVERLAP_MS
    explained = {stranger.exchange_order_id for stranger in strangers}
    ours = Order.objects.filter(
        account=account,
        book=account.book,
        symbol=symbol,
        exchange_order_id__in={trade.exchange_order_id for trade in trades},
    )
    explained |= {"", *ours.values_list("exchange_order_id", flat=True)}
    return [
        trade
        for trade in trades
        if trade.exchange_order_id not in explained and trade.executed_ms >= since_ms
    ]


def _advance(
    agenda: Agenda,
    cursor: TradeCursor,
    trades: Sequence[VenueTrade],
    held_back: Sequence[VenueTrade],
    asked_ms: int,
) -> None:
    """Move the stored cursor on, past nothing that waits or cannot be booked."""
    waiting = [*held_back, *(trade for trade in trades if not is_sound(trade))]
    moved_on(agenda, cursor.symbol, cursor, asked_ms, waiting)
    cursor.save(update_fields=["since_ms", "checked_at"])


def _note_missing(report: Report) -> None:
    """Count polls that found a working order unknown at its venue, and report it after several.

    It stays as it is: a venue that forgets is no proof of anything, a person has to look.
    """
    if not report.orders and not report.missing:
        return
    found_again = Order.objects.filter(pk__in=report.orders, not_found_count__gt=0)
    found_again.update(not_found_count=0)
    missing = Order.objects.filter(pk__in=report.missing)
    missing.update(not_found_count=F("not_found_count") + 1)
    for order in missing.filter(not_found_count__gte=MISSED_POLLS):
        raise_alert(
            "working_order_missing",
            message=f"Order {order.pk} is working here and unknown to its venue.",
            organisation_id=order.organisation_id,
            subject=f"order:{order.pk}",
            severity=Alert.Severity.CRITICAL,
        )


def _schedule(accounts: Sequence[Account]) -> None:
    """Look again soon at those with working orders that no stream tells of."""
    rows = Order.objects.working().filter(account__in=[account.pk for account in accounts])
    busy: dict[int, set[str]] = {}
    for account_id, book in rows.order_by().values_list("account_id", "book").distinct():
        busy.setdefault(account_id, set()).add(book)
    if not busy:
        return
    told = set(
        StreamStatus.objects.healthy().filter(account__in=busy).values_list("account_id", flat=True)
    )
    due = [pk for pk, books in busy.items() if books & SIMULATED or pk not in told]
    nudge(due, within=min(BUSY_SECONDS, settings.RECONCILE_SECONDS))


def note_failure(account: Account, error: BaseException) -> None:
    """Keep why an account could not be polled; a refused key suspends it."""
    if isinstance(error, (VenueError, DomainError)):
        code = error.code
    elif isinstance(error, SealError):
        code = "key_unreadable"
    else:
        code = "poll_failed"
        logger.error("poll of account %s failed", account.pk, exc_info=error)
    Account.objects.filter(pk=account.pk).update(sync_error=code)
    suspend_moved(account, error)
    if isinstance(error, VenueError) and error.outcome == REFUSED and code == "key_refused":
        suspend_refused(account, account.credentials_version)


def sync_account(*, account: Account) -> Account:
    """Poll one account now and return it fresh; raises Unavailable with the reason's code."""
    for agenda in agendas_of([account]):
        try:
            demand_address(agenda.account)
            report = gateway().run(ask(agenda))
            again, unclear = follow_wallets([(agenda, report)])
            for error in unclear.values():
                raise error
        except (VenueError, DomainError, SealError) as error:
            note_failure(account, error)
            code = getattr(error, "code", "key_unreadable")
            raise Unavailable(
                f"The exchange did not answer the account: {code}.", code=code
            ) from error
        import_report(agenda, report)
        nudge(again, within=0)
    account.refresh_from_db()
    return account
