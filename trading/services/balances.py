"""What an account holds and what it is worth."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from accounts.models import Account, Balance, EquityPoint
from common.clock import iso, now
from common.money import ZERO, InvalidMoney, money, multiplied, plain, rounded
from events.log import publish
from exchanges.protocol import VenueBalance
from marketdata.services import last_price

from .venue_access import venue_of

logger = logging.getLogger(__name__)

EQUITY_POINT_EVERY = timedelta(seconds=30)


def store_balances(account: Account, balances: Mapping[str, VenueBalance]) -> None:
    """Replace the stored balances, value them and keep a point of the equity line; in a
    transaction.

    A currency without a known price counts as nothing, so that equity is never overstated; asking
    for its price lets the next round of prices include it where the venue lists it.
    """
    moment = now()
    balances = {name: held for name, held in balances.items() if _fits(account, held)}
    Balance.objects.bulk_create(
        [
            Balance(
                account=account,
                currency=each.currency,
                free=rounded(each.free),
                used=rounded(each.used),
                at=moment,
            )
            for each in balances.values()
        ],
        update_conflicts=True,
        unique_fields=["account", "currency"],
        update_fields=["free", "used", "at"],
    )
    Balance.objects.filter(account=account).exclude(currency__in=balances).delete()
    quote_held = balances.get(account.quote_currency)
    balance = rounded(quote_held.total) if quote_held else ZERO
    equity = sum((_value(account, each) for each in balances.values()), ZERO)
    _save(account, balance, rounded(equity))


def _fits(account: Account, held: VenueBalance) -> bool:
    """Whether our money can hold the figures; a token with absurd ones is left out and logged."""
    try:
        money(rounded(held.free))
        money(rounded(held.used))
    except (InvalidMoney, InvalidOperation):
        logger.warning("account %s: balance of %s left out", account.pk, held.currency)
        return False
    return True


def _value(account: Account, held: VenueBalance) -> Decimal:
    if held.currency == account.quote_currency:
        return held.total
    price = last_price(venue_of(account), f"{held.currency}/{account.quote_currency}")
    return multiplied(held.total, price.price) if price else ZERO


def _save(account: Account, balance: Decimal, equity: Decimal) -> None:
    moment = now()
    has_moved = account.balance != balance
    is_first = account.equity_at is None
    account.balance, account.equity, account.equity_at = balance, equity, moment
    account.synced_at, account.sync_error = moment, ""
    # Not save(): a poll is no change by somebody, so it leaves no row in the account's history.
    Account.objects.filter(pk=account.pk).update(
        balance=balance, equity=equity, equity_at=moment, synced_at=moment, sync_error=""
    )
    if is_first and account.initial_balance == 0:
        Account.objects.filter(pk=account.pk).update(initial_balance=equity)
    newest = (
        EquityPoint.objects.filter(account=account, book=account.book)
        .order_by("-at")
        .values_list("at", flat=True)
        .first()
    )
    is_due = newest is None or moment - newest >= EQUITY_POINT_EVERY
    if is_due:
        EquityPoint.objects.create(
            account=account, book=account.book, at=moment, equity=equity, balance=balance
        )
    if has_moved or is_first or is_due:
        publish(
            "account.synced",
            organisation_id=account.organisation_id,
            topics=(f"account:{account.pk}",),
            payload={
                "account_id": account.pk,
                "balance": plain(balance),
                "equity": plain(equity),
                "at": iso(moment),
            },
        )
