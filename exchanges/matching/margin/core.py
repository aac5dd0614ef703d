"""The matching core for contracts: the same book, settled in positions instead of coins."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from exchanges.matching import filters
from exchanges.matching.arithmetic import exact
from exchanges.matching.core import MatchingCore
from exchanges.matching.margin import ledger, rules
from exchanges.matching.margin.records import (
    CROSSED,
    FUNDING,
    INSURANCE,
    ISOLATED,
    TRANSFER,
    Income,
    MarginAccount,
    Position,
)
from exchanges.matching.margin.tiers import HIGHEST_LEVERAGE, largest_value
from exchanges.matching.records import (
    AMENDMENT,
    CANCELED,
    EXPIRED,
    LIMIT,
    LIMIT_MAKER,
    TRADE,
    TRIGGERED_TYPES,
    ZERO,
    Account,
    BookOrder,
    BookTrade,
    Event,
    FillPlan,
    Refusal,
    Ticket,
)
from exchanges.matching.settlement import Settled


class MarginCore(MatchingCore):
    """Linear perpetual contracts of one quote currency, marked at the last price.

    Further refusals: ``insufficient_margin``, ``max_position``, ``position_side``,
    ``reduce_only``, ``reduce_only_in_hedge``. Orders that wait for a trigger take no margin and
    are checked when it comes; one that may not trade then expires.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.margin: dict[str, MarginAccount] = {}
        self.next_income_id = 1
        self._moved: set[str] = set()
        self._new_incomes: list[Income] = []

    def open_account(self, name: str, balances: dict[str, Decimal]) -> bool:
        """Open an account whose wallet begins with ``balances``."""
        if not super().open_account(name, balances):
            return False
        self.margin[name] = MarginAccount()
        self._moved.add(name)
        for currency, amount in balances.items():
            if amount:
                self._book_income(name, TRANSFER, "", currency, amount, 0)
        return True

    # Settings

    @exact
    def set_leverage(self, name: str, symbol: str, leverage: int) -> None:
        """Refuses with ``leverage`` or, for a position too large, ``max_position``."""
        if not 1 <= leverage <= HIGHEST_LEVERAGE:
            raise Refusal("leverage")
        row = self.margin[name]
        value = sum((abs(p.quantity) * self.prices[symbol] for p in row.held(symbol)), ZERO)
        if value > largest_value(leverage):
            raise Refusal("max_position")
        row.leverage[symbol] = leverage
        self._moved.add(name)

    def set_margin_mode(self, name: str, symbol: str, mode: str) -> None:
        """``mode`` is CROSSED or ISOLATED. Refuses with ``margin_mode_same``, ``_orders``,
        ``_position`` when it is so already, or orders or a position stand.
        """
        row = self.margin[name]
        if (mode == ISOLATED) == (symbol in row.isolated):
            raise Refusal("margin_mode_same")
        if self.orders_of(name, symbol):
            raise Refusal("margin_mode_orders")
        if row.held(symbol):
            raise Refusal("margin_mode_position")
        (row.isolated.discard if mode == CROSSED else row.isolated.add)(symbol)
        self._moved.add(name)

    def set_hedged(self, name: str, hedged: bool) -> None:
        """Refuses with ``hedge_mode_same``, ``_orders`` or ``_position`` like the margin mode."""
        row = self.margin[name]
        if row.hedged == hedged:
            raise Refusal("hedge_mode_same")
        if self.orders_of(name):
            raise Refusal("hedge_mode_orders")
        if row.held():
            raise Refusal("hedge_mode_position")
        row.hedged = hedged
        self._moved.add(name)

    # Orders

    @exact
    def amend(
        self, name: str, order_id: int, quantity: Decimal, price: Decimal, now_ms: int
    ) -> tuple[BookOrder, list[Event]]:
        """Change a resting limit order; it may then match. Raises ``Refusal`` (``unknown_order``,
        ``not_amendable``, ``no_change``, or what a new order gets) and leaves it as it was.
        """
        account = self.accounts[name]
        order = self.find(name, order_id=order_id)
        if not order.is_open:
            raise Refusal("unknown_order")
        if order.type not in (LIMIT, LIMIT_MAKER) or quantity <= order.filled:
            raise Refusal("not_amendable")
        if (quantity, price) == (order.quantity, order.price):
            raise Refusal("no_change")
        market, last = self.markets[order.symbol], self.prices[order.symbol]
        ticket = Ticket(order.symbol, order.side, order.type, quantity, order.client_id, price)
        filters.check_filters(
            replace(ticket, reduce_only=order.reduce_only), market, quantity, last
        )
        filters.check_against_price(ticket, last)
        before = order.quantity, order.price
        order.quantity, order.price = quantity, price
        try:
            self._lock(account, order)
        except Refusal:
            order.quantity, order.price = before
            raise
        order.updated_ms = now_ms
        self._touch(account, order)
        events = [self._event(AMENDMENT, order, now_ms)]
        if filters.marketable(order.side, price, last):
            self._match_new(account, order, now_ms, events)
        return order, events

    def orders_of(self, name: str, symbol: str | None = None) -> list[BookOrder]:
        """The working orders of an account, those that wait for a trigger among them."""
        books = [self.open.get(symbol, {})] if symbol else list(self.open.values())
        return [o for book in books for o in book.values() if o.account == name]

    # Money

    def wallet_of(self, name: str) -> Decimal:
        """The wallet balance in the quote currency, without unrealized profit."""
        return sum((self.accounts[name].wallet(q).free for q in self._quotes()), ZERO)

    @exact
    def available(self, name: str) -> Decimal:
        """What is free for new orders; may be below zero."""
        return rules.available(
            self.margin[name], self.wallet_of(name), self.orders_of(name), self.prices
        )

    @exact
    def pay_funding(self, symbol: str, rate: Decimal, now_ms: int) -> list[Income]:
        """Longs pay ``rate`` (a fraction) of their position's value, shorts get it."""
        market = self.markets[symbol]
        incomes = []
        for name, row in self.margin.items():
            for position in row.held(symbol):
                amount = -(position.quantity * self.prices[symbol] * rate)
                incomes.append(
                    self._book_income(name, FUNDING, symbol, market.quote, amount, now_ms)
                )
        return incomes

    @exact
    def tick(self, symbol: str, price: Decimal, now_ms: int) -> list[Event]:
        """Set the price, fill or trigger what it reaches, liquidate what it ruins."""
        events = super().tick(symbol, price, now_ms)
        for name, row in self.margin.items():
            if row.held(symbol):
                events += self._liquidate(name, symbol, now_ms)
        return events

    def forget(self, name: str, *, keep: int) -> None:
        """As for coins, and of the incomes all but the newest ``keep``."""
        super().forget(name, keep=keep)
        del self.margin[name].incomes[:-keep]

    def drain(self) -> dict[str, Any] | None:
        """What changed since the last drain, positions and incomes among it."""
        changes = super().drain()
        moved, self._moved = self._moved, set()
        incomes, self._new_incomes = self._new_incomes, []
        if not (changes or moved or incomes):
            return None
        return {
            **(changes or {}),
            "margin": {name: self.margin[name].to_json() for name in moved},
            "incomes": [row.to_json() for row in incomes],
            "margin_wallets": [[n, self._money(n)] for n in moved],
        }

    def apply(self, changes: dict[str, Any]) -> None:
        """Redo drained changes, or take over a snapshot."""
        super().apply(changes)
        for name in self.accounts:
            self.margin.setdefault(name, MarginAccount())
        ledger.restore(self, changes)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON."""
        return {
            **super().snapshot(),
            "margin": {name: row.to_json() for name, row in self.margin.items()},
            "incomes": [i.to_json() for row in self.margin.values() for i in row.incomes],
        }

    # What the spot core settles in coins

    def _prepare(
        self, name: str, ticket: Ticket, now_ms: int, plan: FillPlan
    ) -> tuple[Account, BookOrder]:
        account, order = super()._prepare(name, ticket, now_ms, plan)
        rules.check_side(self.margin[name], order)
        return account, order

    def _lock(self, account: Account, order: BookOrder) -> None:
        if not order.waits_for_trigger:
            self._check_margin(account, order)

    def _release(self, account: Account, order: BookOrder) -> None:
        """Orders hold nothing: their margin is reckoned from the open ones."""

    def _touch(self, account: Account, order: BookOrder) -> None:
        self._changes.orders[order.id] = order
        self._moved.add(account.name)

    def _check_margin(self, account: Account, order: BookOrder) -> None:
        row, symbol = self.margin[account.name], order.symbol
        if rules.closes(row, order):
            room = rules.closable(row, order)
            if not room or (row.hedged and order.remaining > room):
                raise Refusal("reduce_only")
            return
        others = [o for o in self.orders_of(account.name) if o is not order]
        position = row.position(symbol, order.position_side)
        own = [o for o in others if o.symbol == symbol and o.position_side == position.side]
        price = self.prices[symbol]
        before = rules.exposure(position, own, price)
        after = rules.exposure(position, [*own, order], price)
        if after <= before:
            return
        if after > largest_value(row.leverage_of(symbol)):
            raise Refusal("max_position")
        wallet = self.wallet_of(account.name)
        if rules.available(row, wallet, [*others, order], self.prices) < 0:
            raise Refusal("insufficient_margin")

    def _match_new(
        self, account: Account, order: BookOrder, now_ms: int, events: list[Event]
    ) -> None:
        if order.type in TRIGGERED_TYPES:
            try:
                self._check_margin(account, order)
            except Refusal:
                events.append(self._finish(account, order, EXPIRED, now_ms))
                return
        super()._match_new(account, order, now_ms, events)

    def _settle(
        self, account: Account, order: BookOrder, quantity: Decimal, price: Decimal
    ) -> Settled | None:
        row = self.margin[account.name]
        if rules.closes(row, order):
            quantity = min(quantity, rules.closable(row, order))
            if not quantity:
                return None
        market = self.markets[order.symbol]
        settled = ledger.fill(account, row, order, market, quantity, price, self.fees)
        self._moved.add(account.name)
        return settled

    def _record(
        self, account: Account, order: BookOrder, paid: Settled, price: Decimal, now_ms: int
    ) -> BookTrade:
        trade = super()._record(account, order, paid, price, now_ms)
        self.margin[account.name].position(order.symbol, order.position_side).updated_ms = now_ms
        for income in ledger.incomes_of(trade):
            self._note(replace(income, id=self._next_income()))
        return trade

    # Liquidation

    def _liquidate(self, name: str, symbol: str, now_ms: int) -> list[Event]:
        row, account = self.margin[name], self.accounts[name]
        doomed = rules.to_liquidate(row, self.wallet_of(name), symbol, self.prices)
        events: list[Event] = []
        for position in doomed:
            for order in self.orders_of(name, position.symbol):
                events.append(self._finish(account, order, CANCELED, now_ms))
            events += self._close_out(name, position, now_ms)
        shortfall = self.wallet_of(name)
        if doomed and shortfall < 0:
            quote = self.markets[symbol].quote
            self._book_income(name, INSURANCE, symbol, quote, -shortfall, now_ms)
        return events

    def _close_out(self, name: str, position: Position, now_ms: int) -> list[Event]:
        hedged = self.margin[name].hedged
        order = rules.close_out(position, self.next_order_id, name, now_ms, hedged=hedged)
        self.next_order_id += 1
        account = self.accounts[name]
        account.remember(order)
        self.open.setdefault(order.symbol, {})[order.id] = order
        events = [self._event("NEW", order, now_ms)]
        self._fill(account, order, self.prices[order.symbol], now_ms, events)
        return [replace(e, kind="CALCULATED") if e.kind == TRADE else e for e in events]

    # Incomes

    def _book_income(
        self, name: str, kind: str, symbol: str, asset: str, amount: Decimal, now_ms: int
    ) -> Income:
        """Write an income and, unless it opens the account, add it to the wallet."""
        amount = ledger.rounded(amount)
        if kind != TRANSFER:
            self.accounts[name].wallet(asset).free += amount
        income = Income(self._next_income(), name, kind, symbol, asset, amount, now_ms)
        self._note(income)
        return income

    def _note(self, income: Income) -> None:
        self.margin[income.account].incomes.append(income)
        self._new_incomes.append(income)
        self._moved.add(income.account)

    def _next_income(self) -> int:
        self.next_income_id += 1
        return self.next_income_id - 1

    def _quotes(self) -> set[str]:
        return {market.quote for market in self.markets.values()}

    def _money(self, name: str) -> dict[str, str]:
        return {c: format(w.free, "f") for c, w in self.accounts[name].wallets.items()}
