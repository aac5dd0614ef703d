"""Rules and prices for a fan-out, asked once per venue and symbol, before any transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from accounts.models import Account
from common.errors import DomainError
from exchanges.protocol import MarketRules
from marketdata.models import Market
from marketdata.services import PATIENCE_SECONDS, last_price, market, quote
from marketdata.symbols import market_type_of

from .venue_access import venue_of


@dataclass(frozen=True, slots=True)
class Seen:
    """What a venue said of a symbol; ``code`` says why something is missing."""

    rules: MarketRules | None = None
    price: Decimal | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class MarketView:
    """All that was seen, by (venue, testnet, symbol)."""

    seen: dict[tuple[str, bool, str], Seen]

    def of(self, account: Account, symbol: str) -> Seen:
        """What the account's venue said of the symbol, if it belongs to the account's market."""
        if market_type_of(symbol) != account.market_type:
            return Seen(code="unknown_symbol", message=f"the account trades {account.market_type}")
        return self.seen[(account.venue, account.is_testnet, symbol)]

    def gaps(self) -> frozenset[str]:
        """The codes of all that is missing."""
        return frozenset(seen.code for seen in self.seen.values() if seen.code)


def view_markets(
    accounts: Iterable[Account], symbols: Iterable[str], *, patience: float = PATIENCE_SECONDS
) -> MarketView:
    """Ask each venue of the accounts about each symbol of the markets they trade there; a failure
    becomes a coded gap, never an error.

    ``patience`` is how many seconds each question may take.
    """
    by_market = {(each.venue, each.is_testnet, each.market_type): each for each in accounts}
    names = set(symbols)
    return MarketView(
        {
            (venue, is_testnet, symbol): _look(account, symbol, patience)
            for (venue, is_testnet, market_type), account in by_market.items()
            for symbol in names
            if market_type_of(symbol) == market_type
        }
    )


def _look(account: Account, symbol: str, patience: float) -> Seen:
    rules: MarketRules | None = None
    try:
        venue = venue_of(account)
        rules = market(venue, symbol, account.market_type, patience=patience)
        price = quote(venue, symbol, account.market_type, patience=patience).price
        return Seen(rules, price)
    except DomainError as error:
        return Seen(rules=rules, code=error.code, message=error.message)


def stored_view(account: Account, symbol: str) -> MarketView:
    """What the database knows of a symbol; asks no venue, so it is fit for a transaction."""
    venue = venue_of(account)
    row = Market.objects.filter(venue=venue.key, symbol=symbol).first()
    price = last_price(venue, symbol)
    seen = Seen(
        rules=row.rules() if row else None,
        price=price.price if price else None,
        code="" if row else "market_unavailable",
    )
    return MarketView({(account.venue, account.is_testnet, symbol): seen})


def stored_rules(account: Account, symbol: str) -> MarketRules | None:
    """The rules of a market as the database knows them."""
    return stored_view(account, symbol).of(account, symbol).rules
