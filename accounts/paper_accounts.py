"""Paper accounts that open at their first order: for callers whose specification knows no other way
to have one.
"""

from common.errors import Conflict, Denied, Invalid
from common.principal import Principal
from exchanges.venues import declared_venues, resolve
from users.permissions import TRADE, demand

from .models import Account, Book
from .services import save_new_account

# Whose prices a paper account fills at where the operator declared no venue.
USUAL_VENUE = "binance"
MAX_QUOTE_LENGTH = 10


def paper_venue() -> str:
    """The venue of a paper account that names none: the first that the operator declared."""
    return next(iter(sorted(declared_venues())), USUAL_VENUE)


def open_paper_account(*, principal: Principal, venue: str, quote_currency: str) -> Account:
    """The organisation's own paper account at a venue: no key, 10,000 of its quote currency.

    The one that is there already where two callers open it at the same moment. Raises Denied for
    who may not trade or is limited to single accounts, Invalid ``unknown_venue``, Conflict
    ``name_taken`` where another account has its name.
    """
    demand(principal, TRADE)
    if principal.account_ids is not None:
        raise Denied("This key is limited to single accounts.", code="key_is_limited")
    if not 0 < len(quote_currency) <= MAX_QUOTE_LENGTH:
        raise Invalid(
            "This is no quote currency.", fields={"symbol": "has no usual quote currency"}
        )
    where = resolve(venue)
    name = f"paper-{where.name}-{quote_currency}"
    account = Account(
        organisation_id=principal.organisation_id,
        name=name,
        venue=where.name,
        pinned_address=where.address,
        book=Book.PAPER,
        quote_currency=quote_currency,
    )
    rows = Account.objects.visible_to(principal).usable()
    try:
        save_new_account(principal, account)
    except Conflict:
        twin = rows.filter(name=name, venue=where.name, book=Book.PAPER).first()
        if twin is None:
            raise
        return twin
    return account
