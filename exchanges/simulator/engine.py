"""The exchange behind the routes: matching core, keys, prices, request log and durable state."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from exchanges.matching import (
    AT_ONCE,
    CANCELED,
    BookOrder,
    Event,
    FeeRule,
    FillPlan,
    MatchingCore,
    Ticket,
)
from exchanges.matching.margin import MarginCore
from exchanges.matching.records import plain
from exchanges.simulator import errors
from exchanges.simulator.config import SimulatorConfig
from exchanges.simulator.faults import FaultPlan
from exchanges.simulator.feeds import MINUTE_MS, Feed, FixedFeed, build_feed
from exchanges.simulator.hindsight import WalletHistory
from exchanges.simulator.journal import Journal
from exchanges.simulator.keys import ApiKey

LOG_KEPT = 100_000


class Engine:
    """All state of one simulator. Used from one event loop only; only ``durable`` waits.

    ``listeners`` are called with the events of every change, after the change is in the journal.
    """

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        self.core = MatchingCore(config.markets, fees=FeeRule(config.fee))
        self.futures = MarginCore(config.contracts, fees=FeeRule(config.futures_fee, "quote"))
        self.by_contract_id = {market.id: market for market in config.contracts}
        self.by_market_id = {market.id: market for market in config.markets}
        self.keys: dict[str, ApiKey] = {}
        self.feeds: dict[str, Feed] = {}
        self.pinned: dict[str, Decimal] = {}
        self.faults = FaultPlan(config.faults, now_ms=self.now_ms())
        self.history = WalletHistory()
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_KEPT)
        self.log_number = 0
        self.listeners: list[Callable[[list[Event]], None]] = []
        self.countdowns: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self.anchor_ms = 0
        self.is_open = False
        self._journal = Journal(config.data) if config.data else None
        self._walked_until_ms = 0

    @staticmethod
    def now_ms() -> int:
        """The exchange's clock."""
        return time.time_ns() // 1_000_000

    def open(self) -> None:
        """Load the stored state and set the first prices."""
        snapshot, records = self._journal.load() if self._journal else (None, [])
        logs: dict[int, dict[str, Any]] = {}
        for state in ([snapshot] if snapshot else []) + records:
            self._apply(state, logs)
        self.log.extend(logs[number] for number in sorted(logs))
        self.log_number = max(logs, default=0)
        self.is_open = True
        now = self.now_ms()
        if not self.anchor_ms:
            self.anchor_ms = now - now % MINUTE_MS
            self._write({"anchor_ms": self.anchor_ms})
        for symbol in [*self.core.markets, *self.futures.markets]:
            self.feeds[symbol] = self._feed(symbol)
            self.core_of(symbol).tick(symbol, self.feeds[symbol].price(now), now)
        for name in self.keys:
            self.futures.open_account(name, self.config.balances)
        self._walked_until_ms = now
        self.commit()

    def close(self) -> None:
        """Write a snapshot and let go of the files."""
        self.is_open = False
        if self._journal:
            self._journal.rotate(self._state())
            self._journal.close()

    async def durable(self) -> None:
        """Wait until everything done so far is on the disk."""
        if self._journal:
            await self._journal.durable()

    def core_of(self, symbol: str) -> MatchingCore:
        """The core that trades a symbol."""
        return self.futures if ":" in symbol else self.core

    def price(self, symbol: str) -> Decimal:
        """The last price."""
        return self.core_of(symbol).prices[symbol]

    # Keys

    def register(
        self,
        key: ApiKey,
        balances: dict[str, Decimal] | None,
        futures: dict[str, Decimal] | None = None,
    ) -> bool:
        """Register or update a key. Balances count only for a new account; ``True`` if new."""
        self.keys[key.name] = key
        self.futures.open_account(key.name, self.config.balances if futures is None else futures)
        fresh = self.core.open_account(
            key.name, self.config.balances if balances is None else balances
        )
        self.commit(keys=[key.to_json()])
        return fresh

    def key(self, name: str) -> ApiKey:
        """The key by name, enrolled if new and the exchange is open. Raises ``ApiError``."""
        key = self.keys.get(name)
        if key is None:
            if self.config.closed:
                raise errors.unknown_key()
            key = ApiKey(name, client_ids=self.config.client_ids)
            self.register(key, None)
        if key.revoked:
            raise errors.unknown_key()
        return key

    def revoke(self, name: str, *, revoked: bool = True) -> None:
        """Refuse a known key from now on, or take that back."""
        key = self.keys[name]
        key.revoked = revoked
        self.commit(keys=[key.to_json()])

    # Orders

    def submit(
        self, api_key: str, ticket: Ticket, *, plan: FillPlan = AT_ONCE, entry: dict[str, Any]
    ) -> tuple[BookOrder, list[Event]]:
        """Place an order and write it, with its request's log entry, to the journal."""
        core = self.core_of(ticket.symbol)
        order, events = core.submit(api_key, ticket, self.now_ms(), plan=plan)
        entry.update(verdict="accepted", order_id=order.id)
        self.commit(events, log=entry)
        return order, events

    def place_unasked(self, api_key: str, ticket: Ticket) -> BookOrder:
        """Place an order that no request asked for; it appears in no request log."""
        core = self.core_of(ticket.symbol)
        order, events = core.submit(api_key, ticket, self.now_ms())
        self.commit(events)
        return order

    def cancel(self, order: BookOrder, *, status: str = CANCELED) -> None:
        """End an open order, as canceled or expired. ``Refusal("unknown_order")`` when not open."""
        core = self.core_of(order.symbol)
        self.commit(core.cancel(order.account, order.id, self.now_ms(), status=status))

    def release(self) -> None:
        """Fill the orders whose delay is over."""
        if not self.is_open:
            return
        now = self.now_ms()
        self.commit(self.core.release(now) + self.futures.release(now))

    # Prices

    def set_price(self, symbol: str, price: Decimal | None) -> None:
        """Pin a symbol to ``price``, or let it follow its feed again with ``None``.

        A contract follows its underlying unless it is pinned itself.
        """
        if price is None:
            self.pinned.pop(symbol, None)
        else:
            self.pinned[symbol] = price
        now = self.now_ms()
        events: list[Event] = []
        contracts = [m.symbol for m in self.futures.markets.values() if m.underlying == symbol]
        for name in dict.fromkeys([symbol, *contracts]):
            feed = self.feeds[name] = self._feed(name)
            events += self.core_of(name).tick(name, feed.price(now), now)
        self.commit(events, pinned={symbol: None if price is None else plain(price)})

    def walk(self) -> None:
        """Follow every feed from the last call until now."""
        now = self.now_ms()
        events = self.core.release(now) + self.futures.release(now)
        for symbol, feed in self.feeds.items():
            for price in feed.path(self._walked_until_ms, now):
                events += self.core_of(symbol).tick(symbol, price, now)
        self._walked_until_ms = now
        self.commit(events)

    # Log and state

    def arrived(self, **fields: Any) -> dict[str, Any]:
        """Log an order request as it arrives; the entry is completed by its verdict."""
        self.log_number += 1
        entry = {"n": self.log_number, "at_ms": self.now_ms(), "verdict": "pending", **fields}
        self.log.append(entry)
        return entry

    def complete(self, entry: dict[str, Any], verdict: str, **fields: Any) -> None:
        """Write what became of a logged request."""
        entry.update(verdict=verdict, **fields)
        self.commit(log=entry)

    def commit(self, events: list[Event] | None = None, **extra: Any) -> None:
        """Journal what changed, then tell the listeners."""
        drained = {"core": self.core.drain(), "futures": self.futures.drain()}
        record = {**{name: rows for name, rows in drained.items() if rows}, **extra}
        if record:
            self._write(record)
        if events:
            names = {e.order.account for e in events if e.order.symbol in self.core.markets}
            self.history.record((self.core.accounts[name] for name in names), self.now_ms())
            for listener in self.listeners:
                listener(events)

    def _write(self, record: dict[str, Any]) -> None:
        if self._journal:
            self._journal.append(record)
            if self._journal.is_long:
                self._journal.rotate(self._state())

    def _feed(self, symbol: str) -> Feed:
        market = self.core_of(symbol).markets[symbol]
        for name in (symbol, market.underlying):
            if name in self.pinned:
                return FixedFeed(self.pinned[name])
        config = self.config
        return build_feed(
            self.core.markets.get(market.underlying, market),
            mode=config.price_mode,
            candles=config.candles,
            seed=config.seed,
            anchor_ms=self.anchor_ms,
            acceleration=config.acceleration,
        )

    def _state(self) -> dict[str, Any]:
        return {
            "anchor_ms": self.anchor_ms,
            "core": self.core.snapshot(),
            "futures": self.futures.snapshot(),
            "keys": [key.to_json() for key in self.keys.values()],
            "pinned": {symbol: plain(price) for symbol, price in self.pinned.items()},
            "logs": list(self.log),
        }

    def _apply(self, state: dict[str, Any], logs: dict[int, dict[str, Any]]) -> None:
        """Take over a snapshot or a journal record; log entries go to ``logs`` by number."""
        self.anchor_ms = state.get("anchor_ms", self.anchor_ms)
        for row in state.get("keys", ()):
            self.keys[row["name"]] = ApiKey(**row)
        if state.get("core"):
            self.core.apply(state["core"])
        if state.get("futures"):
            self.futures.apply(state["futures"])
        for symbol, price in state.get("pinned", {}).items():
            self.pinned.pop(symbol, None)
            if price is not None:
                self.pinned[symbol] = Decimal(price)
        for entry in [*state.get("logs", ()), *([state["log"]] if "log" in state else [])]:
            logs[entry["n"]] = entry
