"""What a caller wants, before it is sized and judged."""

import json
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from accounts.books import mode_of
from common.money import plain
from trading.models import Position
from trading.sizing import SizeSpec

LOT, POSITION = "lot", "position"


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """One order for one account.

    Either ``quantity`` (base units) or ``size`` is given; a reduce-only intent may give neither and
    then closes the owner's whole lot, or the whole position when ``exit_scope`` is ``position``.
    ``position_id`` names a position of a hedging account: the one to close, or the one an entry
    adds to; 0 lets an entry open its own and an exit find the only candidate. With ``of_nobody`` it
    is one that no order of ours explains.
    ``take_profit`` and ``stop_loss`` are a percentage of the average fill price (``3%``) or a
    price, ``trailing_stop`` a percentage of the best price or a distance, as text.
    ``leverage`` 0 leaves the venue's as it is, and sizes as with 1; ``max_leverage`` is what the
    asking bot allows.
    ``request_id`` makes the command idempotent; without one the caller's repeats are new orders.
    ``delay_seconds`` is how long it waits before it is sent, ``max_slippage`` by how many percent
    the price may have moved against it by then.
    With ``is_target`` the size is what the owner is to hold of the symbol in the end on this side,
    and reduce-only without any means nothing; ``held_before`` is long, short or flat where the
    sender said what it believes to be held.
    ``mode`` is paper, shadow or live, empty for the account's own; ``allow_downgrade`` lets a live
    order that may not be live go to the shadow book.
    """

    account_id: int
    symbol: str
    side: str
    type: str = "market"
    size: SizeSpec | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    leverage: int = 0
    max_leverage: int | None = None
    take_profit: str = ""
    stop_loss: str = ""
    trailing_stop: str = ""
    reduce_only: bool = False
    exit_scope: str = LOT
    is_target: bool = False
    held_before: str = ""
    position_id: int = 0
    of_nobody: bool = False
    is_protective: bool = False
    post_only: bool = False
    time_in_force: str = "gtc"
    magic_id: int = 0
    reason: str = "api"
    request_id: str = ""
    mode: str = ""
    allow_downgrade: bool = False
    delay_seconds: int = 0
    max_slippage: Decimal | None = None

    def payload(self) -> dict[str, Any]:
        """The intent as it is stored and compared for idempotency; money as text, no empty
        values.
        """
        fields: dict[str, Any] = {
            "symbol": self.symbol,
            "side": self.side,
            "type": self.type,
            "size": self.size.as_text() if self.size else None,
            "quantity": _text(self.quantity),
            "price": _text(self.price),
            "stop_price": _text(self.stop_price),
            "leverage": self.leverage,
            "max_leverage": self.max_leverage,
            "take_profit": self.take_profit or None,
            "stop_loss": self.stop_loss or None,
            "trailing_stop": self.trailing_stop or None,
            "reduce_only": self.reduce_only or None,
            "exit_scope": self.exit_scope if self.reduce_only else None,
            "is_target": self.is_target or None,
            "held_before": self.held_before or None,
            "position_id": self.position_id or None,
            "of_nobody": self.of_nobody or None,
            "is_protective": self.is_protective or None,
            "post_only": self.post_only or None,
            "time_in_force": self.time_in_force,
            "magic_id": self.magic_id,
            "max_slippage": _text(self.max_slippage),
            "mode": self.mode or None,
            "allow_downgrade": self.allow_downgrade or None,
        }
        return {name: fields[name] for name in sorted(fields) if fields[name] is not None}


def exit_of(position: Position, **more: Any) -> OrderIntent:
    """A reduce-only order of the other side, in the position's own book; ``more`` says how much of
    it and what else.
    """
    return OrderIntent(
        account_id=position.account_id,
        symbol=position.symbol,
        side="sell" if position.side == "buy" else "buy",
        reduce_only=True,
        mode=mode_of(position.book),
        **more,
    )


def intent_of(
    payload: dict[str, Any], *, account_id: int, reason: str, request_id: str = ""
) -> OrderIntent:
    """The intent that wrote this payload; what a payload does not keep is given."""
    given = dict(payload)
    for name in ("quantity", "price", "stop_price", "max_slippage"):
        if name in given:
            given[name] = Decimal(given[name])
    if "size" in given:
        given["size"] = SizeSpec.from_text(given["size"])
    return OrderIntent(account_id=account_id, reason=reason, request_id=request_id, **given)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def payload_hash(payload: dict[str, Any]) -> str:
    """SHA-256 of a payload in canonical JSON."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode("utf-8")).hexdigest()
