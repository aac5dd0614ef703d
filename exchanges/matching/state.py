"""The state of a matching core as JSON: changes for a journal, and the whole for a snapshot."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from exchanges.matching.records import Account, BookOrder, BookTrade, Wallet, plain


class Book(Protocol):
    """The records of a matching core that make up its state."""

    accounts: dict[str, Account]
    open: dict[str, dict[int, BookOrder]]
    prices: dict[str, Decimal]
    next_order_id: int
    next_trade_id: dict[str, int]


@dataclass(slots=True)
class ChangeSet:
    """The records touched since the last drain."""

    accounts: list[Account] = field(default_factory=list)
    orders: dict[int, BookOrder] = field(default_factory=dict)
    trades: list[BookTrade] = field(default_factory=list)
    wallets: dict[tuple[str, str], Wallet] = field(default_factory=dict)

    def to_json(self, next_order_id: int) -> dict[str, Any] | None:
        """The touched records as they stand now, or ``None`` when there are none."""
        if not (self.accounts or self.orders):
            return None
        wallets = {(a.name, c): w for a in self.accounts for c, w in a.wallets.items()}
        wallets.update(self.wallets)
        return {
            "next_order_id": next_order_id,
            "accounts": {a.name: _money(a.initial) for a in self.accounts},
            "orders": [order.to_json() for order in self.orders.values()],
            "trades": [trade.to_json() for trade in self.trades],
            "wallets": [[n, c, plain(w.free), plain(w.used)] for (n, c), w in wallets.items()],
        }


def snapshot_state(core: Book) -> dict[str, Any]:
    """Everything a core knows but its markets and fees."""
    return {
        "next_order_id": core.next_order_id,
        "next_trade_id": dict(core.next_trade_id),
        "prices": _money(core.prices),
        "accounts": {a.name: _money(a.initial) for a in core.accounts.values()},
        "orders": [o.to_json() for a in core.accounts.values() for o in a.orders.values()],
        "trades": [
            t.to_json() for a in core.accounts.values() for ts in a.trades.values() for t in ts
        ],
        "wallets": [
            [a.name, currency, plain(w.free), plain(w.used)]
            for a in core.accounts.values()
            for currency, w in a.wallets.items()
        ],
    }


def restore_state(core: Book, state: dict[str, Any]) -> None:
    """Lay a snapshot or drained changes over ``core``; records known already are replaced."""
    for name, initial in state.get("accounts", {}).items():
        if name not in core.accounts:
            core.accounts[name] = Account(name, {c: Decimal(v) for c, v in initial.items()})
    for row in state.get("orders", ()):
        _restore_order(core, BookOrder.from_json(row))
    for row in state.get("trades", ()):
        _restore_trade(core, BookTrade.from_json(row))
    for name, currency, free, used in state.get("wallets", ()):
        core.accounts[name].wallets[currency] = Wallet(Decimal(free), Decimal(used))
    for symbol, price in state.get("prices", {}).items():
        core.prices[symbol] = Decimal(price)
    for symbol, trade_id in state.get("next_trade_id", {}).items():
        core.next_trade_id[symbol] = max(trade_id, core.next_trade_id.get(symbol, 1))
    core.next_order_id = max(core.next_order_id, state.get("next_order_id", 1))


def _restore_order(core: Book, order: BookOrder) -> None:
    core.accounts[order.account].remember(order)
    book = core.open.setdefault(order.symbol, {})
    if order.is_open:
        book[order.id] = order
    else:
        book.pop(order.id, None)


def _restore_trade(core: Book, trade: BookTrade) -> None:
    trades = core.accounts[trade.account].trades.setdefault(trade.symbol, [])
    if not trades or trades[-1].id < trade.id:
        trades.append(trade)
    core.next_trade_id[trade.symbol] = max(trade.id + 1, core.next_trade_id.get(trade.symbol, 1))


def _money(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {name: plain(amount) for name, amount in amounts.items()}
