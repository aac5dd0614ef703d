"""How surely a lost answer about an account's orders can be settled."""

from common.errors import Invalid
from exchanges.quirks import DEGRADED, FULL, quirks_of
from exchanges.venues import resolve

from .books import SIMULATED
from .models import Account


def safety_of(account: Account) -> str:
    """``full`` or ``degraded``, by what its venue can do; a book of our own always answers."""
    if account.book in SIMULATED:
        return FULL
    try:
        venue = resolve(account.venue, is_testnet=account.is_testnet)
    except Invalid:  # the operator took the venue away: nobody answers any more
        return DEGRADED
    return quirks_of(venue.ccxt_id, account.market_type).safety
