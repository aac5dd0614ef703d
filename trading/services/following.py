"""Which symbols of an account are asked for trades: those it was commanded in, and those in which
its wallet or its stream shows that somebody trades past the platform.
"""

import logging
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeAlias

from accounts.books import SIMULATED
from accounts.models import Account, Balance
from common.bulk import insert_rows
from common.clock import now_ms, to_ms
from common.errors import Invalid, Unavailable
from common.money import ZERO, rounded
from exchanges.protocol import VenueBalance
from marketdata.services import market
from trading.models import TradeCursor

from .agenda import OVERLAP_MS, Agenda, Report
from .agreement import base_of
from .venue_access import venue_of

logger = logging.getLogger(__name__)

# An account and a unified symbol.
Followed: TypeAlias = tuple[int, str]


def follow(wanted: Iterable[Followed], *, since_ms: int | None = None) -> set[Followed]:
    """Have the trades of these polled from now on, those since a moment (ten minutes ago unless
    told otherwise); returns which were not before.

    Only what is missing is inserted, since even an insert that yields to a conflict waits for an
    import which holds that cursor.
    """
    pairs = set(wanted)
    if not pairs:
        return set()
    known = TradeCursor.objects.filter(account__in={account for account, _ in pairs})
    missing = pairs - set(known.values_list("account", "symbol"))
    begin = now_ms() - OVERLAP_MS if since_ms is None else since_ms
    insert_rows(
        [
            TradeCursor(account_id=account, symbol=symbol, since_ms=begin)
            for account, symbol in sorted(missing)
        ],
        ignore_conflicts=True,
    )
    return missing


def follow_wallets(
    reports: Sequence[tuple[Agenda, Report]],
) -> tuple[set[int], dict[Account, Unavailable]]:
    """Follow each listed symbol whose coin came or went although no command was about it: the
    account's owner trades there by hand. Returns the accounts that have to be polled again for it,
    and those whose venue does not tell what it lists: their report must not be written, so that
    the next poll compares anew.

    Compares with the balances of the poll before, so it stands before they are replaced, and
    outside of a transaction, since venues may be asked.
    """
    told = [pair for pair in reports if _has_own_wallet(pair[0].account)]
    stored: dict[int, dict[str, Decimal]] = {agenda.account.pk: {} for agenda, _ in told}
    for row in Balance.objects.filter(account__in=stored):
        stored[row.account_id][row.currency] = row.total
    again: set[int] = set()
    unclear: dict[Account, Unavailable] = {}
    for agenda, report in told:
        account = agenda.account
        followed = {base_of(symbol) for symbol in agenda.trades_since}
        moved = _moved(stored[account.pk], report.balances) - followed - {account.quote_currency}
        try:
            listed = _listed(account, moved)
        except Unavailable as error:
            unclear[account] = error
            continue
        found = follow([(account.pk, each) for each in listed], since_ms=_last_read(account))
        if found:
            logger.info("account %s trades past the platform: %s", account.pk, sorted(found))
            again.add(account.pk)
    return again, unclear


def _has_own_wallet(account: Account) -> bool:
    """Whether the balances are a spot wallet's at the venue, and were read before."""
    is_spot = account.market_type == Account.MarketType.SPOT
    is_simulated = account.is_view or account.book in SIMULATED
    return is_spot and not is_simulated and account.equity_at is not None


def _moved(stored: dict[str, Decimal], told: dict[str, VenueBalance]) -> set[str]:
    """The currencies of which more or less is held than before."""
    names = stored.keys() | told.keys()
    held = {name: rounded(each.free) + rounded(each.used) for name, each in told.items()}
    return {name for name in names if held.get(name, ZERO) != stored.get(name, ZERO)}


def _listed(account: Account, currencies: Iterable[str]) -> list[str]:
    """The symbols in which the account's venue trades these against the quote currency; raises
    Unavailable.
    """
    found = []
    for currency in sorted(currencies):
        symbol = f"{currency}/{account.quote_currency}"
        try:
            market(venue_of(account), symbol, account.market_type)
        except Invalid:
            continue
        found.append(symbol)
    return found


def _last_read(account: Account) -> int:
    """Milliseconds from which on the wallet may have moved without our seeing it."""
    read_at = account.synced_at or account.created_at
    return to_ms(read_at) - OVERLAP_MS
