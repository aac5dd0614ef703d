"""The paper venue: our own fills on a real price, behind the same protocol as an exchange."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from django.db import Error as DatabaseError

from common.clock import now_ms as wall_clock_ms

from .matching import BookOrder, FeeRule, MatchingCore, Refusal
from .matching.markets import market_from_rules
from .outcomes import NOT_SENT, VenueError
from .paper_answers import (
    not_saved,
    not_supported,
    ticket_of,
    venue_error,
    venue_order,
    venue_trade,
)
from .protocol import (
    MarketRules,
    OrderRequest,
    Quote,
    VenueBalance,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueTransfer,
)

KEPT = 1000
STARTING_BALANCE = Decimal(10_000)
ATTEMPTS = 5

T = TypeVar("T")
LoadBook = Callable[[], Awaitable[dict[str, Any] | None]]
SaveBook = Callable[[dict[str, Any]], Awaitable[None]]
IsCurrent = Callable[[], Awaitable[bool]]
GetRules = Callable[[str], Awaitable[MarketRules]]
GetQuote = Callable[[str], Awaitable[Quote | None]]


class BookChanged(DatabaseError):
    """Somebody else stored the book since it was read; nothing was saved."""


class PaperClient:
    """One account's paper book; implements ``VenueClient`` for spot markets, for contracts see
    ``paper_contracts``.

    Market orders fill at the quote (ask for a buy, bid for a sell, else the last price), limit
    orders rest until ``tick`` brings their price. The book is saved before any answer is given; if
    that fails the answer is UNKNOWN and the stored book is read again. Finished orders and trades
    beyond the newest thousand are dropped.

    Calls on one client run one at a time. Clients of one account in several processes agree:
    ``is_current`` is asked before every call (without it the book is read every time), and a call
    whose save raises BookChanged is repeated on the newer book.
    """

    fills_on_touch = True
    market_type = "spot"

    def __init__(
        self,
        account_key: str,
        *,
        rules: GetRules,
        quotes: GetQuote,
        load: LoadBook,
        save: SaveBook,
        is_current: IsCurrent | None = None,
        fee_rate: Decimal | None = None,
        balances: dict[str, Decimal] | None = None,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._account = account_key
        self._rules = rules
        self._quotes = quotes
        self._load = load
        self._save = save
        self._is_current = is_current
        self._fees = self.fee_rule(fee_rate)
        self._starting = {"USDT": STARTING_BALANCE} if balances is None else balances
        self._clock = clock
        self._book: MatchingCore | None = None
        self._lock = asyncio.Lock()

    @classmethod
    def fee_rule(cls, rate: Decimal | None) -> FeeRule:
        """What a fill costs: 0.1 % of what is received unless told otherwise."""
        return FeeRule(Decimal("0.001") if rate is None else rate)

    def new_core(self) -> MatchingCore:
        """An empty book."""
        return MatchingCore((), fees=self._fees, fills_on_touch=self.fills_on_touch)

    async def place(self, request: OrderRequest) -> VenueOrder:
        """Match one order against the present quote.

        A client id in use by an open order is answered as at an exchange: UNKNOWN, code
        ``duplicate_order_id``.
        """
        rules = await self._rules(request.symbol)
        if rules.market_type != self.market_type:
            raise not_supported(f"this book is of {self.market_type} markets")
        quote = await self._quotes(request.symbol)
        if quote is None:
            raise VenueError(
                outcome=NOT_SENT, code="no_price", message="there is no price to fill at"
            )

        def match(book: MatchingCore) -> VenueOrder:
            book.add_market(market_from_rules(rules))
            book.tick(quote.symbol, quote.price, self._clock())
            side_price = quote.ask if request.side == "buy" else quote.bid
            book.prices[quote.symbol] = side_price or quote.price
            try:
                order, _ = book.submit(self._account, ticket_of(request), self._clock())
            finally:
                book.prices[quote.symbol] = quote.price
            return self._order(book, order)

        return await self._on_book(match)

    async def cancel(self, symbol: str, client_order_id: str, exchange_order_id: str) -> None:
        """Cancel at once; UNKNOWN with ``order_not_found`` when no such order is open."""

        def take_out(book: MatchingCore) -> None:
            order = self._find(book, symbol, client_order_id, exchange_order_id)
            book.cancel(self._account, order.id, self._clock())

        await self._on_book(take_out)

    async def find_order(
        self, symbol: str, client_order_id: str, exchange_order_id: str
    ) -> VenueOrder | None:
        """The order by the book's id, else by client id."""

        def look(book: MatchingCore) -> VenueOrder | None:
            try:
                order = self._find(book, symbol, client_order_id, exchange_order_id)
            except Refusal:
                return None
            return self._order(book, order)

        return await self._on_book(look)

    async def open_orders(self, symbol: str) -> list[VenueOrder]:
        """Working orders of one symbol, oldest first."""
        return await self._on_book(
            lambda book: [self._order(book, order) for order in book.open.get(symbol, {}).values()]
        )

    async def trades(self, symbol: str, since_ms: int | None) -> list[VenueTrade]:
        """Executions of one symbol from ``since_ms`` on, oldest first."""
        return await self._on_book(
            lambda book: [
                venue_trade(row)
                for row in book.accounts[self._account].trades.get(symbol, [])
                if row.at_ms >= (since_ms or 0)
            ]
        )

    async def balances(self) -> dict[str, VenueBalance]:
        """Non-zero balances by currency."""
        return await self._on_book(self.balances_in)

    def balances_in(self, book: MatchingCore) -> dict[str, VenueBalance]:
        """What the book says of the wallets."""
        return {
            currency: VenueBalance(currency, wallet.free, wallet.used)
            for currency, wallet in book.accounts[self._account].wallets.items()
            if wallet.free or wallet.used
        }

    async def edit(self, exchange_order_id: str, request: OrderRequest) -> None:
        """Paper orders are changed by cancelling and placing anew: always NOT_SENT."""
        raise not_supported("a paper order cannot be changed in place")

    async def positions(self, symbols: Sequence[str]) -> list[VenuePosition]:
        """None on spot."""
        return []

    async def funding(self, symbol: str, since_ms: int) -> list[VenueFunding]:
        """None on spot."""
        return []

    async def transfers(self, since_ms: int) -> list[VenueTransfer]:
        """None: a paper account keeps what it began with."""
        return []

    async def is_hedged(self, symbol: str = "") -> bool:
        """A book of our own nets."""
        return False

    async def may_trade(self) -> bool | None:
        """Always: the book is our own."""
        return True

    async def may_withdraw(self) -> bool | None:
        """Not asked: a paper account's key stays unused."""
        return None

    async def count_down(self, symbol: str, seconds: int) -> None:
        """Orders of ours rest nowhere but here: always NOT_SENT."""
        raise not_supported("a book of our own has no countdown")

    async def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Spot has no leverage: always NOT_SENT."""
        raise not_supported("spot has no leverage")

    async def tick(self, quote: Quote) -> list[VenueTrade]:
        """Let a new price reach what stands in the book; returns the executions it made."""

        def advance(book: MatchingCore) -> list[VenueTrade]:
            if not self.is_touched_by(book, quote.symbol):
                return []
            events = book.tick(quote.symbol, quote.price, self._clock())
            return [venue_trade(event.trade) for event in events if event.trade]

        return await self._on_book(advance)

    def is_touched_by(self, book: MatchingCore, symbol: str) -> bool:
        """Whether a price of the symbol can change anything."""
        return bool(book.open.get(symbol))

    async def _on_book(self, work: Callable[[MatchingCore], T]) -> T:
        """Do ``work`` on the newest book and save what it changed, even when it ends in a Refusal;
        anew where another process was quicker.
        """
        async with self._lock:
            for _ in range(ATTEMPTS):
                book = await self._opened()
                refusal: Refusal | None = None
                try:
                    result = work(book)
                except Refusal as error:
                    refusal = error
                if not await self._stored(book):
                    continue
                if refusal is not None:
                    raise venue_error(refusal) from refusal
                return result
            raise not_saved()

    async def _opening_balances(self) -> dict[str, Decimal]:
        return self._starting

    async def _opened(self) -> MatchingCore:
        if self._book is not None and self._is_current is not None and await self._is_current():
            return self._book
        state = await self._load()
        book = self.new_core()
        if state:
            for rules in await asyncio.gather(*(self._rules(s) for s in state["symbols"])):
                book.add_market(market_from_rules(rules))
            book.apply(state["book"])
        if self._account not in book.accounts:
            book.open_account(self._account, await self._opening_balances())
        book.drain()
        self._book = book
        return book

    async def _stored(self, book: MatchingCore) -> bool:
        """Save the book if it changed; False when another process stored one meanwhile. A failure
        forgets the book, so the stored one is read again.
        """
        if book.drain() is None:
            return True
        book.forget(self._account, keep=KEPT)
        self._book = None
        try:
            await self._save({"symbols": sorted(book.markets), "book": book.snapshot()})
        except BookChanged:
            return False
        except (DatabaseError, OSError) as error:
            raise not_saved() from error
        self._book = book
        return True

    def _find(
        self, book: MatchingCore, symbol: str, client_order_id: str, exchange_order_id: str
    ) -> BookOrder:
        order_id = int(exchange_order_id) if exchange_order_id.isdigit() else None
        if exchange_order_id and order_id is None:
            raise Refusal("unknown_order")
        order = book.find(self._account, order_id=order_id, client_id=client_order_id)
        if order.symbol != symbol:
            raise Refusal("unknown_order")
        return order

    def _order(self, book: MatchingCore, order: BookOrder) -> VenueOrder:
        trades = book.accounts[self._account].trades.get(order.symbol, [])
        return venue_order(order, [row for row in trades if row.order_id == order.id])
