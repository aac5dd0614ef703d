"""What an account holds and what it is worth."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from accounts.models import Account, Balance
from common.bulk import update_rows, upsert_rows
from common.clock import iso, now
from common.money import ZERO, InvalidMoney, money, multiplied, plain, rounded
from events.log import NewEvent, publish_all
from exchanges.protocol import VenueBalance
from marketdata.services import last_price

from .equity_readings import keep_readings
from .venue_access import venue_of

logger = logging.getLogger(__name__)

FIGURES = ("balance", "equity", "equity_at", "synced_at", "sync_error")


def store_balances(account: Account, balances: Mapping[str, VenueBalance]) -> None:
    """:func:`store_all_balances` for one account."""
    store_all_balances([(account, balances)])


def store_all_balances(told: Sequence[tuple[Account, Mapping[str, VenueBalance]]]) -> None:
    """Replace the stored balances of different accounts, value them and keep a point of each equity
    line; in a transaction, in a number of statements that does not grow with the accounts.

    A currency without a known price counts as nothing, so that equity is never overstated; asking
    for its price lets the next round of prices include it where the venue lists it.
    """
    moment, prices = now(), _Prices()
    held = {
        account.pk: {name: each for name, each in balances.items() if _fits(account, each)}
        for account, balances in told
    }
    _replace(held, moment)
    _lock([account for account, _ in told])
    news = [_news(account, held[account.pk], prices, moment) for account, _ in told]
    _save(news, moment)


@dataclass(frozen=True, slots=True)
class _News:
    """An account that was brought up to date, and whether that is the first time or a change."""

    account: Account
    is_first: bool
    has_moved: bool


class _Prices:
    """Last prices, each read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Decimal | None] = {}

    def value(self, account: Account, currency: str, amount: Decimal) -> Decimal:
        """What an amount is worth in the account's quote currency."""
        if currency == account.quote_currency:
            return amount
        venue, symbol = venue_of(account), f"{currency}/{account.quote_currency}"
        if (venue.key, symbol) not in self._known:
            row = last_price(venue, symbol)
            self._known[venue.key, symbol] = row.price if row else None
        price = self._known[venue.key, symbol]
        return ZERO if price is None else multiplied(amount, price)


def in_quote(account: Account, currency: str, amount: Decimal) -> Decimal:
    """An amount in the account's quote currency at the last known price, 0 without one."""
    return rounded(_Prices().value(account, currency, amount))


def _replace(held: Mapping[int, Mapping[str, VenueBalance]], moment: datetime) -> None:
    rows = [
        Balance(
            account_id=account_id,
            currency=each.currency,
            free=rounded(each.free),
            used=rounded(each.used),
            at=moment,
        )
        for account_id, balances in held.items()
        for each in balances.values()
    ]
    upsert_rows(rows, unique_fields=["account", "currency"], update_fields=["free", "used", "at"])
    stored = Balance.objects.filter(account__in=held).values_list("pk", "account_id", "currency")
    gone = [pk for pk, account_id, currency in stored if currency not in held[account_id]]
    if gone:
        Balance.objects.filter(pk__in=gone).delete()


def _lock(accounts: Sequence[Account]) -> None:
    """Take several accounts' row locks in the order in which a submission takes them."""
    if len(accounts) > 1:
        rows = Account.objects.select_for_update(no_key=True).order_by("pk")
        list(rows.filter(pk__in=[each.pk for each in accounts]).values_list("pk"))


def _fits(account: Account, held: VenueBalance) -> bool:
    """Whether our money can hold the figures; a token with absurd ones is left out and logged."""
    try:
        money(rounded(held.free))
        money(rounded(held.used))
    except (InvalidMoney, InvalidOperation):
        logger.warning("account %s: balance of %s left out", account.pk, held.currency)
        return False
    return True


def _news(
    account: Account, balances: Mapping[str, VenueBalance], prices: _Prices, moment: datetime
) -> _News:
    """Put the figures into the account's object."""
    quote_held = balances.get(account.quote_currency)
    balance = rounded(quote_held.total) if quote_held else ZERO
    worth = [prices.value(account, each.currency, each.total) for each in balances.values()]
    equity = rounded(sum(worth, ZERO))
    news = _News(account, account.equity_at is None, account.balance != balance)
    account.balance, account.equity, account.equity_at = balance, equity, moment
    account.synced_at, account.sync_error = moment, ""
    return news


def _save(news: Sequence[_News], moment: datetime) -> None:
    accounts = [each.account for each in news]
    # Not save(): a poll is no change by somebody, so it leaves no row in the account's history.
    update_rows(accounts, FIGURES)
    for each in news:
        if each.is_first and each.account.initial_balance == 0:
            new = Account.objects.filter(pk=each.account.pk)
            new.update(initial_balance=each.account.equity)
    moved = {each.account.pk for each in news if each.has_moved}
    due = keep_readings(accounts, moved, at=moment)
    publish_all(
        _synced(each.account, moment)
        for each in news
        if each.has_moved or each.is_first or each.account.pk in due
    )


def _synced(account: Account, moment: datetime) -> NewEvent:
    return NewEvent(
        "account.synced",
        account.organisation_id,
        (f"account:{account.pk}",),
        {
            "account_id": account.pk,
            "balance": plain(account.balance),
            "equity": plain(account.equity),
            "at": iso(moment),
        },
    )
