"""What a caller's accounts hold in one book: money and positions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.books import DOLLARS, SIMULATED
from accounts.models import Account, Balance, Book
from common.clock import now
from common.money import ZERO, multiplied, rounded
from common.principal import Principal
from exchanges.paper_books import stored_balances
from exchanges.protocol import VenueBalance
from marketdata.models import LastPrice
from trading.models import Position

from .accounts import FRESH_SECONDS
from .positions import key_of, priced

FRESH_FOR = timedelta(seconds=FRESH_SECONDS)


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Cash by quote currency and the open positions of one book; ``as_of`` is its oldest reading.

    Positions are priced and have their accounts.
    """

    book: str
    cash: dict[str, Decimal] = field(default_factory=dict)
    positions: Sequence[Position] = ()
    as_of: datetime | None = None

    @property
    def dollars(self) -> Decimal:
        """The cash that is in dollars."""
        return sum((self.cash.get(each, ZERO) for each in DOLLARS), ZERO)


@dataclass(frozen=True, slots=True)
class Wallet:
    """Free and locked amounts by currency over the accounts of one book.

    ``dollars`` is what they are worth as far as prices are known; ``venues`` are where they are,
    ``as_of`` is the oldest reading.
    """

    book: str
    assets: dict[str, tuple[Decimal, Decimal]]
    dollars: Decimal
    venues: frozenset[str]
    as_of: datetime | None

    @property
    def source(self) -> str:
        """``mock`` for money of our own making, ``cache`` for readings older than a minute or none,
        else the venue, ``exchange`` for several.
        """
        if self.book in SIMULATED:
            return "mock"
        if self.as_of is None or now() - self.as_of > FRESH_FOR:
            return "cache"
        return next(iter(self.venues)) if len(self.venues) == 1 else "exchange"


def usual_book(accounts: Iterable[Account]) -> str:
    """The one book that all accounts are in, else paper."""
    books = {account.book for account in accounts}
    return str(books.pop()) if len(books) == 1 else Book.PAPER.value


def portfolio_of(principal: Principal, book: str = "") -> Portfolio:
    """The accounts the principal may read in one book, their usual one unless it is named.

    An account counts with what its venue told last, or with its own paper or shadow book where its
    orders went there beside its usual one. At most four queries.
    """
    accounts = list(Account.objects.visible_to(principal))
    book = book or usual_book(accounts)
    own = [account for account in accounts if account.book == book]
    others = {account.pk: account for account in accounts if account.book != book}
    cash: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for account in own:
        cash[account.quote_currency] += account.balance
    for number, held in stored_balances(others, book).items() if others else ():
        quote = others[number].quote_currency
        cash[quote] += held[quote].total if quote in held else ZERO
    rows = Position.objects.visible_to(principal).open().filter(book=book)
    readings = [account.synced_at for account in own if account.synced_at]
    return Portfolio(
        book=book,
        cash=dict(cash),
        positions=priced(rows.select_related("account").order_by("pk")),
        as_of=min(readings, default=None),
    )


def wallet_of(principal: Principal, book: str = "", *, account: Account | None = None) -> Wallet:
    """What the accounts of one book hold, the usual one unless it is named; or one account alone,
    in its own book. At most four queries.
    """
    accounts = [account] if account else list(Account.objects.visible_to(principal))
    book = book or usual_book(accounts)
    own = {each.pk: each for each in accounts if each.book == book}
    others = {each.pk: each for each in accounts if each.book != book}
    held = stored_balances(others, book) if others and book in SIMULATED else {}
    assets: dict[str, tuple[Decimal, Decimal]] = {}
    for row in Balance.objects.filter(account__in=own):
        _count_in(assets, row.currency, row.free, row.used)
    worth = sum((each.equity for each in own.values() if each.quote_currency in DOLLARS), ZERO)
    for balances in held.values():
        for name, each in balances.items():
            _count_in(assets, name, each.free, each.used)
    worth += _worth_of({others[number]: balances for number, balances in held.items()})
    readings = [each.synced_at for each in own.values() if each.synced_at]
    return Wallet(
        book=book,
        assets={name: assets[name] for name in sorted(assets) if any(assets[name])},
        dollars=rounded(worth),
        venues=frozenset(each.venue for each in own.values()),
        as_of=min(readings, default=None),
    )


def _count_in(
    assets: dict[str, tuple[Decimal, Decimal]], currency: str, free: Decimal, used: Decimal
) -> None:
    before = assets.get(currency, (ZERO, ZERO))
    assets[currency] = before[0] + free, before[1] + used


def _worth_of(held: dict[Account, dict[str, VenueBalance]]) -> Decimal:
    """Balances in dollars by the last prices of the accounts' own markets; one query."""
    if not held:
        return ZERO
    prices = {
        (row.venue, row.symbol): row.price
        for row in LastPrice.objects.filter(
            venue__in={key_of(account) for account in held},
            symbol__in={
                f"{name}/{account.quote_currency}" for account in held for name in held[account]
            },
        )
    }
    worth = ZERO
    for account, balances in held.items():
        if account.quote_currency not in DOLLARS:
            continue
        for name, each in balances.items():
            symbol = f"{name}/{account.quote_currency}"
            price = Decimal(1) if name in DOLLARS else prices.get((key_of(account), symbol), ZERO)
            worth += multiplied(each.total, price)
    return worth
