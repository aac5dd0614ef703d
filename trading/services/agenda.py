"""The questions of a poll and what a venue answers: what has to be asked for an account, and one
account's questions in turn. Nothing is written here.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from accounts.books import SIMULATED
from accounts.models import Account
from common.clock import now, now_ms, to_ms
from exchanges.gateway import gateway
from exchanges.outcomes import VenueError
from exchanges.protocol import (
    VenueBalance,
    VenueClient,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueTransfer,
)
from trading import states
from trading.models import Order, Position, TradeCursor, TransferCursor

from .funding import funding_due
from .transfers import transfers_due
from .venue_access import account_ref

logger = logging.getLogger(__name__)

OVERLAP_MS = 600_000
SHORT_OVERLAP_MS = 60_000
LONG_LOOK_EVERY_MS = 300_000
TURN_STEP_MS = 7_919
DEAD_WATCHED_FOR = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Agenda:
    """What to ask for one account: working orders and, per symbol, trades since a moment
    (milliseconds); ``dead`` as :func:`_known_of` tells it. ``transfers_since`` is None where
    deposits and withdrawals are not due.
    """

    account: Account
    orders: tuple[Order, ...] = ()
    trades_since: dict[str, int] = field(default_factory=dict)
    funding_since: dict[str, int] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    transfers_since: int | None = None


@dataclass(slots=True)
class Report:
    """What the venue said; orders by our row id, plus orders behind trades that we could not
    place. ``transfers`` is None where they were not asked for or not told; then
    ``transfers_error`` has the reason's code.
    """

    asked_ms: int = field(default_factory=now_ms)
    balances: dict[str, VenueBalance] = field(default_factory=dict)
    orders: dict[int, VenueOrder] = field(default_factory=dict)
    trades: dict[str, list[VenueTrade]] = field(default_factory=dict)
    strangers: list[VenueOrder] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    positions: list[VenuePosition] = field(default_factory=list)
    is_hedged: bool | None = None
    funding: dict[str, list[VenueFunding]] = field(default_factory=dict)
    transfers: list[VenueTransfer] | None = None
    transfers_error: str = ""


def agendas_of(accounts: Sequence[Account]) -> list[Agenda]:
    """What has to be asked for accounts now: in their own books, and in others where their orders
    work or where they were demoted from with positions open. The number of statements does not grow
    with the accounts.
    """
    known = _known_of([account.pk for account in accounts])
    return [
        _agenda(account.in_book(book), known)
        for account in accounts
        for book in (account.book, *known.other_books(account))
    ]


def agenda_of(account: Account) -> Agenda:
    """What has to be asked in the book that the account is seen in."""
    return _agenda(account, _known_of([account.pk]))


@dataclass(slots=True)
class _Known:
    """What the ledger knows of some accounts: by account and book, cursors by account."""

    orders: dict[tuple[int, str], list[Order]] = field(default_factory=dict)
    held: dict[tuple[int, str], set[str]] = field(default_factory=dict)
    dead: dict[tuple[int, str], dict[str, str]] = field(default_factory=dict)
    cursors: dict[int, list[TradeCursor]] = field(default_factory=dict)
    transfers: dict[int, TransferCursor] = field(default_factory=dict)

    def other_books(self, account: Account) -> list[str]:
        """The books beside the account's own in which something is to be asked: where orders work,
        or where positions may end by themselves.
        """
        is_spot = account.market_type == Account.MarketType.SPOT
        held = [key for key in self.held if not is_spot or key[1] not in SIMULATED]
        books = {book for account_id, book in (*self.orders, *held) if account_id == account.pk}
        return sorted(books - {account.book})


def _known_of(account_ids: Sequence[int]) -> _Known:
    """``dead`` are symbols by client order id of orders held for never placed within the last
    hours: where a venue knows no request window, one may still come to rest in its book.
    """
    known = _Known()
    for order in Order.objects.working().filter(account__in=account_ids).order_by("pk"):
        known.orders.setdefault((order.account_id, order.book), []).append(order)
    rows = Position.objects.open().filter(account__in=account_ids)
    for account_id, book, symbol in rows.values_list("account_id", "book", "symbol"):
        known.held.setdefault((account_id, book), set()).add(symbol)
    for cursor in TradeCursor.objects.filter(account__in=account_ids):
        known.cursors.setdefault(cursor.account_id, []).append(cursor)
    known.transfers = TransferCursor.objects.in_bulk(account_ids)
    unplaced = Order.objects.filter(
        account__in=account_ids,
        state=states.NOT_PLACED,
        finished_at__gt=now() - DEAD_WATCHED_FOR,
    ).exclude(claimed_at=None)
    for account_id, book, client_order_id, symbol in unplaced.values_list(
        "account_id", "book", "client_order_id", "symbol"
    ):
        known.dead.setdefault((account_id, book), {})[client_order_id] = symbol
    return known


def _agenda(account: Account, known: _Known) -> Agenda:
    """A book of our own beside the account's is asked for orders alone, which bring their trades;
    of contracts for trades too, since positions may be liquidated there.
    """
    key = (account.pk, account.book)
    orders = tuple(order for order in known.orders.get(key, ()) if order.exchange_order_id)
    held = known.held.get(key, set())
    if account.is_view and account.book in SIMULATED:
        is_spot = account.market_type == Account.MarketType.SPOT
        since = {} if is_spot else dict.fromkeys(sorted(held), now_ms() - OVERLAP_MS)
        return Agenda(account, orders, since)
    symbols = {order.symbol for order in orders} | held
    cursors = known.cursors.get(account.pk, [])
    start = _start(account)
    since = {row.symbol: look_back(account, row) for row in cursors}
    funding = {
        row.symbol: max(row.funding_ms, start) for row in cursors if funding_due(account, row)
    }
    if account.book in SIMULATED:  # cursors follow the exchange's trades, and the book is at hand
        return Agenda(account, orders, dict.fromkeys(symbols | since.keys(), now_ms() - OVERLAP_MS))
    wanted = dict.fromkeys(symbols, start) | since
    transfers = transfers_due(account, known.transfers.get(account.pk))
    return Agenda(account, orders, wanted, funding, known.dead.get(key, {}), transfers)


def _start(account: Account) -> int:
    """No trade of the account before this moment is ours."""
    return to_ms(account.created_at) - OVERLAP_MS


def long_look(account: Account, cursor: TradeCursor) -> int:
    """The moment from which on trades may not have been seen yet."""
    return max(cursor.since_ms, _start(account))


def look_back(account: Account, cursor: TradeCursor) -> int:
    """From when on (milliseconds) the next poll asks for the trades of an account in a symbol.

    The first poll of each five minutes, and one that follows a trade which had to wait, goes back
    to ten minutes before the last of its kind; those between, to one minute before the last poll:
    an account that trades every second would otherwise be told the same hundreds of trades again
    and again. What a venue tells later than a minute waits five at most.
    """
    longest = long_look(account, cursor)
    if cursor.checked_at is None:
        return longest
    checked_ms = to_ms(cursor.checked_at)
    if _turn(cursor, checked_ms) != _turn(cursor, now_ms()):
        return longest
    return max(longest, checked_ms - SHORT_OVERLAP_MS)


def _turn(cursor: TradeCursor, ms: int) -> int:
    """The number of the five minutes; they begin at another moment for each cursor."""
    return (ms + cursor.pk * TURN_STEP_MS) // LONG_LOOK_EVERY_MS


async def ask(agenda: Agenda) -> Report:
    """One account's questions in turn: orders first, then trades, then balances; raises
    VenueError.
    """
    client = await gateway().client(account_ref(agenda.account))
    report = Report()
    if agenda.account.book in SIMULATED:
        for symbol in {order.symbol for order in agenda.orders} | _exposed(agenda):
            await gateway().advance_paper(account_ref(agenda.account), symbol)
    for order in agenda.orders:
        found = await client.find_order(
            order.symbol, order.client_order_id, order.exchange_order_id
        )
        if found is not None:
            report.orders[order.pk] = found
        else:
            report.missing.append(order.pk)
    known = {order.exchange_order_id for order in agenda.orders}
    for symbol, since_ms in agenda.trades_since.items():
        report.trades[symbol] = await client.trades(symbol, since_ms)
    if agenda.account.market_type != Account.MarketType.SPOT:
        await _ask_derivatives(client, agenda, report)
    if not agenda.account.is_view:
        report.balances = await client.balances()
    if agenda.transfers_since is not None:
        await _ask_transfers(client, agenda, report)
    report.strangers = await _identify(agenda, report, known)
    for symbol in sorted(set(agenda.dead.values())):
        resting = await client.open_orders(symbol)
        report.strangers += [each for each in resting if each.client_order_id in agenda.dead]
    return report


def _exposed(agenda: Agenda) -> set[str]:
    """The symbols of a book of our own whose price may end a position."""
    is_spot = agenda.account.market_type == Account.MarketType.SPOT
    return set() if is_spot else set(agenda.trades_since)


async def _ask_derivatives(client: VenueClient, agenda: Agenda, report: Report) -> None:
    """Position mode, positions and funding. Funding that cannot be told keeps nothing else back."""
    if agenda.account.book not in SIMULATED:
        report.is_hedged = await client.is_hedged(next(iter(agenda.trades_since), ""))
    report.positions = await client.positions(list(agenda.trades_since))
    for symbol, since_ms in agenda.funding_since.items():
        try:
            report.funding[symbol] = await client.funding(symbol, since_ms)
        except VenueError as error:
            logger.warning("funding of account %s not read: %s", agenda.account.pk, error.code)


async def _ask_transfers(client: VenueClient, agenda: Agenda, report: Report) -> None:
    """Deposits and withdrawals. What cannot be told keeps nothing else back."""
    try:
        report.transfers = await client.transfers(agenda.transfers_since or 0)
    except VenueError as error:
        report.transfers_error = error.code
        logger.info("transfers of account %s not read: %s", agenda.account.pk, error.code)


async def _identify(agenda: Agenda, report: Report, known: set[str]) -> list[VenueOrder]:
    """Fetch the orders behind trades of this poll that belong to no working order of ours."""
    client = await gateway().client(account_ref(agenda.account))
    wanted = {
        (symbol, trade.exchange_order_id)
        for symbol, trades in report.trades.items()
        for trade in trades
        if trade.exchange_order_id and trade.exchange_order_id not in known
    }
    explained = await gateway().in_database(
        lambda: set(
            Order.objects.filter(
                account=agenda.account,
                book=agenda.account.book,
                exchange_order_id__in=[order_id for _, order_id in wanted],
            ).values_list("exchange_order_id", flat=True)
        )
    )
    found = [
        await client.find_order(symbol, "", order_id)
        for symbol, order_id in sorted(wanted)
        if order_id not in explained
    ]
    return [order for order in found if order is not None]
