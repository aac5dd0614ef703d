"""The matching core itself: accounts, the door for orders, and what a new price does to them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from exchanges.matching import filters, settlement
from exchanges.matching.arithmetic import exact
from exchanges.matching.markets import Market
from exchanges.matching.records import (
    AT_ONCE,
    CANCELED,
    EXPIRED,
    FILLED,
    MARKET,
    NEW,
    PARTIALLY_FILLED,
    PRICED_TYPES,
    TRADE,
    Account,
    BookOrder,
    BookTrade,
    Event,
    FeeRule,
    FillPlan,
    Refusal,
    Ticket,
)
from exchanges.matching.settlement import Settled
from exchanges.matching.state import ChangeSet, restore_state, snapshot_state


class MatchingCore:
    """Matches orders of many accounts against one given price per symbol, with unlimited depth.

    Market orders and orders that cross fill at the last price as taker; resting orders fill at
    their own limit as maker when the price touches it (goes through it where ``fills_on_touch`` is
    false), best price first, then oldest. Not thread-safe.
    """

    def __init__(
        self,
        markets: Iterable[Market],
        *,
        fees: FeeRule | None = None,
        fills_on_touch: bool = True,
    ) -> None:
        self.fills_on_touch = fills_on_touch
        self.markets: dict[str, Market] = {market.symbol: market for market in markets}
        self.fees = fees or FeeRule()
        self.accounts: dict[str, Account] = {}
        self.prices: dict[str, Decimal] = {}
        self.next_order_id = 1
        self.next_trade_id: dict[str, int] = {}
        self.open: dict[str, dict[int, BookOrder]] = {}
        self._changes = ChangeSet()

    def add_market(self, market: Market) -> None:
        """Trade ``market`` from now on; replaces the filters of a known symbol."""
        self.markets[market.symbol] = market

    def open_account(self, name: str, balances: dict[str, Decimal]) -> bool:
        """Open an account with ``balances``; ``False``, and nothing changed, when it exists."""
        if name in self.accounts:
            return False
        account = Account(name, dict(balances))
        for currency, amount in balances.items():
            account.wallet(currency).free = amount
        self.accounts[name] = account
        self._changes.accounts.append(account)
        return True

    @exact
    def submit(
        self, name: str, ticket: Ticket, now_ms: int, *, plan: FillPlan = AT_ONCE
    ) -> tuple[BookOrder, list[Event]]:
        """Accept and match one order. Raises ``Refusal`` and leaves everything as it was."""
        account, order = self._prepare(name, ticket, now_ms, plan)
        self._lock(account, order)
        self.next_order_id += 1
        account.remember(order)
        self.open.setdefault(order.symbol, {})[order.id] = order
        self._touch(account, order)
        events = [self._event(NEW, order, now_ms)]
        if not order.waits_for_trigger and order.hold_until_ms <= now_ms:
            self._match_new(account, order, now_ms, events)
        return order, events

    @exact
    def check(self, name: str, ticket: Ticket, now_ms: int) -> None:
        """Raise the ``Refusal`` that ``submit`` would raise; change nothing."""
        account, order = self._prepare(name, ticket, now_ms, AT_ONCE)
        self._lock(account, order)
        self._release(account, order)

    @exact
    def check_filters(self, ticket: Ticket) -> None:
        """Raise the ``Refusal`` for a malformed ticket or one its market's filters forbid, whatever
        the account holds; change nothing.
        """
        self._filtered(ticket)

    @exact
    def cancel(
        self, name: str, order_id: int, now_ms: int, *, status: str = CANCELED
    ) -> list[Event]:
        """End an open order, as canceled or expired; ``Refusal("unknown_order")`` when not open."""
        account = self.accounts[name]
        order = account.orders.get(order_id)
        if order is None or not order.is_open:
            raise Refusal("unknown_order")
        return [self._finish(account, order, status, now_ms)]

    @exact
    def tick(self, symbol: str, price: Decimal, now_ms: int) -> list[Event]:
        """Set the price and fill or trigger what it reaches."""
        self.prices[symbol] = price
        book = self.open.get(symbol)
        if not book:
            return []
        due = [o for o in book.values() if o.hold_until_ms <= now_ms and self._reached(o, price)]
        due.sort(key=_priority)
        events: list[Event] = []
        for order in due:
            account = self.accounts[order.account]
            order.triggered = True
            fresh = not order.resting
            if order.type in PRICED_TYPES and not filters.marketable(
                order.side, order.price, price
            ):
                order.resting = True
                self._touch(account, order)
            elif fresh:
                self._match_new(account, order, now_ms, events)
            else:
                self._fill(account, order, order.price or price, now_ms, events)
        return events

    @exact
    def release(self, now_ms: int) -> list[Event]:
        """Match the orders whose fill was delayed until now or earlier."""
        events: list[Event] = []
        for book in list(self.open.values()):
            for order in [o for o in book.values() if 0 < o.hold_until_ms <= now_ms]:
                order.hold_until_ms = 0
                self._touch(self.accounts[order.account], order)
                if not order.waits_for_trigger:
                    self._match_new(self.accounts[order.account], order, now_ms, events)
        return events

    def find(self, name: str, *, order_id: int | None = None, client_id: str = "") -> BookOrder:
        """The order by id, else the newest one with the client id; ``Refusal("unknown_order")``."""
        account = self.accounts[name]
        order = account.orders.get(order_id) if order_id else account.by_client.get(client_id)
        if order is None:
            raise Refusal("unknown_order")
        return order

    def forget(self, name: str, *, keep: int) -> None:
        """Drop all but the newest ``keep`` finished orders and trades per symbol of one account."""
        account = self.accounts[name]
        finished = sorted(o.id for o in account.orders.values() if not o.is_open)
        for order_id in finished[: max(0, len(finished) - keep)]:
            order = account.orders.pop(order_id)
            if account.by_client.get(order.client_id) is order:
                del account.by_client[order.client_id]
        for trades in account.trades.values():
            del trades[: max(0, len(trades) - keep)]

    def drain(self) -> dict[str, Any] | None:
        """What changed since the last drain, as JSON for ``apply``; ``None`` when nothing did."""
        changes, self._changes = self._changes, ChangeSet()
        return changes.to_json(self.next_order_id)

    def apply(self, changes: dict[str, Any]) -> None:
        """Redo drained changes, in the order they were drained; doing so twice does no harm."""
        restore_state(self, changes)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON for ``apply`` on a new core."""
        return snapshot_state(self)

    def _filtered(self, ticket: Ticket) -> Decimal:
        """The ticket's quantity in base currency, once its shape and the filters let it pass."""
        market = self.markets.get(ticket.symbol)
        last = self.prices.get(ticket.symbol)
        if market is None or last is None:
            raise Refusal("unknown_symbol")
        filters.check_shape(ticket)
        quantity = ticket.quantity
        if ticket.quote_quantity is not None and ticket.type == MARKET:
            quantity = ticket.quote_quantity / last
            quantity -= quantity % market.step
        filters.check_filters(ticket, market, quantity, last)
        return quantity

    def _prepare(
        self, name: str, ticket: Ticket, now_ms: int, plan: FillPlan
    ) -> tuple[Account, BookOrder]:
        account = self.accounts[name]
        quantity = self._filtered(ticket)
        filters.check_against_price(ticket, self.prices[ticket.symbol])
        known = account.by_client.get(ticket.client_id)
        if known is not None and known.is_open:
            raise Refusal("duplicate_client_id")
        return account, BookOrder(
            id=self.next_order_id,
            account=name,
            client_id=ticket.client_id,
            symbol=ticket.symbol,
            side=ticket.side,
            type=ticket.type,
            quantity=quantity,
            price=ticket.price if ticket.type in PRICED_TYPES else None,
            stop_price=ticket.stop_price,
            time_in_force=ticket.time_in_force,
            created_ms=now_ms,
            updated_ms=now_ms,
            quote_quantity=ticket.quote_quantity,
            parts_left=max(1, plan.parts),
            over_ticks=plan.over_ticks,
            hold_until_ms=now_ms + plan.delay_ms if plan.delay_ms else 0,
            position_side=ticket.position_side,
            reduce_only=ticket.reduce_only,
        )

    def _reached(self, order: BookOrder, price: Decimal) -> bool:
        if order.waits_for_trigger:
            stop = order.stop_price
            return stop is not None and filters.triggers(order.type, order.side, stop, price)
        if order.resting and order.price == price and not self.fills_on_touch:
            return False
        return filters.marketable(order.side, order.price, price)

    def _match_new(
        self, account: Account, order: BookOrder, now_ms: int, events: list[Event]
    ) -> None:
        """Match an order that has just become active: fill as taker, then rest or expire."""
        last = self.prices[order.symbol]
        whole = not (order.over_ticks and order.parts_left > 1)
        if filters.marketable(order.side, order.price, last) and (
            order.time_in_force != "FOK" or whole
        ):
            self._fill(account, order, last, now_ms, events)
        if not order.is_open:
            return
        if order.time_in_force != "GTC":
            events.append(self._finish(account, order, EXPIRED, now_ms))
        elif order.type in PRICED_TYPES:
            order.resting = True
            self._touch(account, order)

    def _fill(
        self,
        account: Account,
        order: BookOrder,
        price: Decimal,
        now_ms: int,
        events: list[Event],
    ) -> None:
        market = self.markets[order.symbol]
        while order.remaining > 0:
            quantity = _next_part(order, market)
            paid = self._settle(account, order, quantity, price)
            if paid is None:
                events.append(self._finish(account, order, EXPIRED, now_ms))
                return
            order.parts_left = max(1, order.parts_left - 1)
            order.updated_ms = now_ms
            order.status = PARTIALLY_FILLED if order.remaining else FILLED
            trade = self._record(account, order, paid, price, now_ms)
            if order.status == FILLED:
                self._close(account, order)
            self._touch(account, order)
            events.append(self._event(TRADE, order, now_ms, trade))
            if order.over_ticks:
                return

    def _record(
        self,
        account: Account,
        order: BookOrder,
        paid: Settled,
        price: Decimal,
        now_ms: int,
    ) -> BookTrade:
        trade_id = self.next_trade_id.get(order.symbol, 1)
        self.next_trade_id[order.symbol] = trade_id + 1
        trade = BookTrade(
            id=trade_id,
            order_id=order.id,
            account=order.account,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=paid.quantity,
            commission=paid.commission,
            commission_asset=paid.asset,
            at_ms=now_ms,
            maker=order.resting,
            realized=paid.realized,
        )
        account.trades.setdefault(order.symbol, []).append(trade)
        self._changes.trades.append(trade)
        return trade

    def _finish(self, account: Account, order: BookOrder, status: str, now_ms: int) -> Event:
        order.status = status
        order.updated_ms = now_ms
        self._close(account, order)
        self._touch(account, order)
        return self._event(status, order, now_ms)

    def _close(self, account: Account, order: BookOrder) -> None:
        self._release(account, order)
        self.open[order.symbol].pop(order.id, None)

    def _lock(self, account: Account, order: BookOrder) -> None:
        """Set aside what the order needs, or raise the ``Refusal``."""
        last = self.prices[order.symbol]
        settlement.lock(account, order, self.markets[order.symbol], last)

    def _release(self, account: Account, order: BookOrder) -> None:
        """Give back what the order still holds."""
        settlement.release(account, order, self.markets[order.symbol])

    def _settle(
        self, account: Account, order: BookOrder, quantity: Decimal, price: Decimal
    ) -> Settled | None:
        """Move the money of one fill; ``None`` ends the order as expired."""
        market = self.markets[order.symbol]
        return settlement.settle(account, order, market, quantity, price, self.fees)

    def _touch(self, account: Account, order: BookOrder) -> None:
        market = self.markets[order.symbol]
        self._changes.orders[order.id] = order
        self._changes.wallets[account.name, market.base] = account.wallet(market.base)
        self._changes.wallets[account.name, market.quote] = account.wallet(market.quote)

    @staticmethod
    def _event(kind: str, order: BookOrder, now_ms: int, trade: BookTrade | None = None) -> Event:
        return Event(kind, order, trade, order.status, order.filled, order.quote_filled, now_ms)


def _priority(order: BookOrder) -> tuple[Decimal, int]:
    """Best price first, then oldest; orders without a limit come before all."""
    if order.price is None:
        return Decimal("-Infinity"), order.id
    return (-order.price if order.side == "buy" else order.price), order.id


def _next_part(order: BookOrder, market: Market) -> Decimal:
    if order.parts_left <= 1:
        return order.remaining
    part = order.remaining / order.parts_left
    part -= part % market.step
    return part or order.remaining
