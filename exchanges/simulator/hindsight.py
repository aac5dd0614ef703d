"""How orders and wallets looked a moment ago, for answers that lag behind."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from exchanges.matching import NEW, PARTIALLY_FILLED, BookOrder
from exchanges.matching.records import Account, Wallet

KEPT = 300


class WalletHistory:
    """The newest states of every account's wallets, by the time they came about."""

    def __init__(self) -> None:
        self._states: dict[str, deque[tuple[int, dict[str, Wallet]]]] = {}

    def record(self, accounts: Iterable[Account], now_ms: int) -> None:
        """Remember what these accounts hold from now on."""
        for account in accounts:
            rows = self._states.setdefault(account.name, deque(maxlen=KEPT))
            rows.append((now_ms, {c: replace(w) for c, w in account.wallets.items()}))

    def account_at(self, account: Account, at_ms: int) -> Account:
        """The account with the wallets of that moment; those of the start when none are older."""
        rows = self._states.get(account.name, ())
        for when, wallets in reversed(rows):
            if when <= at_ms:
                return replace(account, wallets=wallets)
        if not rows:
            return account
        return replace(account, wallets={c: Wallet(a) for c, a in account.initial.items()})


def order_at(account: Account, order: BookOrder, at_ms: int) -> BookOrder | None:
    """The order as it stood at that moment, ``None`` when it was not there yet."""
    if order.created_ms > at_ms:
        return None
    if order.updated_ms <= at_ms:
        return order
    fills = [
        t
        for t in account.trades.get(order.symbol, [])
        if t.order_id == order.id and t.at_ms <= at_ms
    ]
    past: dict[str, Any] = {
        "filled": sum((t.quantity for t in fills), Decimal(0)),
        "quote_filled": sum((t.value for t in fills), Decimal(0)),
        "updated_ms": max((t.at_ms for t in fills), default=order.created_ms),
        "status": PARTIALLY_FILLED if fills else NEW,
    }
    return replace(order, **past)
