"""Books of our own for linear perpetual contracts: paper and shadow over the margin core.

One position per symbol, cross margin in the quote currency, marked at the last price. A position
that its margin no longer covers is liquidated by the first price that is told of it. Funding is not
paid.
"""

from collections.abc import Sequence
from decimal import Decimal

from .matching import FeeRule, MatchingCore
from .matching.margin import MarginCore, Position
from .matching.records import BOTH
from .paper import PaperClient
from .protocol import VenueBalance, VenuePosition
from .shadow import ShadowClient


class ContractBook(PaperClient):
    """What differs from a spot book."""

    market_type = "swap"

    @classmethod
    def fee_rule(cls, rate: Decimal | None) -> FeeRule:
        """0.05 % of a fill's value in the quote currency unless told otherwise."""
        return FeeRule(Decimal("0.0005") if rate is None else rate, "quote")

    def new_core(self) -> MarginCore:
        """An empty book."""
        return MarginCore((), fees=self._fees, fills_on_touch=self.fills_on_touch)

    async def positions(self, symbols: Sequence[str]) -> list[VenuePosition]:
        """Open positions of these symbols."""

        def look(book: MatchingCore) -> list[VenuePosition]:
            row = _margin(book).margin[self._account]
            held = [each for each in row.held() if each.symbol in symbols]
            return [_told(each, row.leverage_of(each.symbol)) for each in held]

        return await self._on_book(look)

    async def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Set a symbol's leverage; REFUSED where it is out of bounds or a position too large."""

        def put(book: MatchingCore) -> None:
            _margin(book).set_leverage(self._account, symbol, int(leverage))

        await self._on_book(put)

    def balances_in(self, book: MatchingCore) -> dict[str, VenueBalance]:
        """The wallet without unrealized profit; what positions and orders take of it is used."""
        core = _margin(book)
        found = {}
        for currency, wallet in core.accounts[self._account].wallets.items():
            is_margin = any(market.quote == currency for market in core.markets.values())
            free = max(core.available(self._account), Decimal(0)) if is_margin else wallet.free
            if wallet.free:
                found[currency] = VenueBalance(currency, free, wallet.free - free)
        return found

    def is_touched_by(self, book: MatchingCore, symbol: str) -> bool:
        """A position may be liquidated, too."""
        row = _margin(book).margin[self._account]
        return super().is_touched_by(book, symbol) or bool(row.held(symbol))


class PaperContracts(ContractBook):
    """One account's paper book of contracts."""


class ShadowContracts(ContractBook, ShadowClient):
    """One account's shadow book of contracts: real balances and fresh quotes, nothing sent."""


def _margin(book: MatchingCore) -> MarginCore:
    if not isinstance(book, MarginCore):
        raise TypeError("not a book of contracts")
    return book


def _told(position: Position, leverage: int) -> VenuePosition:
    if position.side != BOTH:
        raise TypeError("a book of our own nets")
    size = abs(position.quantity)
    return VenuePosition(
        symbol=position.symbol,
        side="long" if position.quantity > 0 else "short",
        contracts=size,
        quantity=size,
        entry_price=position.entry,
        leverage=Decimal(leverage),
        is_hedged=False,
    )
