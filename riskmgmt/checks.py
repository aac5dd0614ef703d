"""May this order go? Pure: values in, a coded decision out.

Reduce-only orders pass every check but an account that an operator disabled or that cannot act (key
refused, address moved), the level HALTED, and, when a signal asked for them, an owner that is
stopped. Entries fail closed: what is not known refuses them.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from common.money import ZERO, divided, plain

from .sentences import sentence_of

REDUCING, HALTED = "REDUCING", "HALTED"
DEFAULT_PRICE_COLLAR = Decimal(5)
HUNDRED = Decimal(100)
# Reasons of a suspension that leave an account unable to send anything, exits included.
UNUSABLE_REASONS = frozenset({"key_refused", "venue_address_changed", "unknown_venue"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The strictest limits in force; None is no limit. Values in quote currency, collar in
    percent.
    """

    max_order_value: Decimal | None = None
    max_position_value: Decimal | None = None
    price_collar: Decimal | None = DEFAULT_PRICE_COLLAR


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The order under judgement. ``notional`` is quantity times the price it is valued at, in
    quote; ``max_slippage`` by how many percent the price may move against it before it is sent;
    ``is_of_signal`` where a signal asked for it.
    """

    side: str
    quantity: Decimal
    notional: Decimal | None
    price: Decimal | None = None
    reduce_only: bool = False
    is_operator_flatten: bool = False
    is_of_signal: bool = False
    max_slippage: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds around the order.

    ``position_value`` is the signed value of the open position (long positive) and
    ``reserved_value`` what orders not yet finished may add to it, both in quote and without this
    order. ``reference_price`` is the price the order was valued at, ``last_price`` the newest known
    one. ``ledger_agrees`` is false while ledger and venue differ in the symbol. ``owner_level`` is
    the switch of the order's owner, ``group_latch`` drawdown and limit (percent) of a group of the
    account that is latched.
    """

    account_status: str = "active"
    account_reason: str = ""
    venue_enabled: bool = True
    switch_level: str | None = None
    owner_level: str | None = None
    group_latch: tuple[Decimal, Decimal] | None = None
    limits: Limits = field(default_factory=Limits)
    position_value: Decimal = ZERO
    reserved_value: Decimal = ZERO
    reference_price: Decimal | None = None
    last_price: Decimal | None = None
    ledger_agrees: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the order may go; ``code`` is empty when it may, ``checks`` names all compared
    values.
    """

    allowed: bool
    code: str = ""
    checks: tuple[dict[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The form in which a decision is stored; a refusal has a ``message``."""
        told = {"allowed": self.allowed, "code": self.code, "checks": list(self.checks)}
        failed = next((check for check in self.checks if not check["ok"]), None)
        return told if failed is None else {**told, "message": sentence_of(failed)}


def _check(name: str, ok: bool, value: Any = None, limit: Any = None) -> dict[str, Any]:
    def shown(item: Any) -> Any:
        return plain(item) if isinstance(item, Decimal) else item

    return {"check": name, "ok": ok, "value": shown(value), "limit": shown(limit)}


def evaluate(order: OrderFacts, situation: Situation) -> Decision:
    """Every check in order; the first one that fails gives the code ``denied_<check>``."""
    checks = _gates(order, situation)
    if not order.reduce_only:
        checks += _entry_checks(order, situation)
    failed = next((check for check in checks if not check["ok"]), None)
    return Decision(
        allowed=failed is None,
        code=f"denied_{failed['check']}" if failed else "",
        checks=tuple(checks),
    )


def _gates(order: OrderFacts, situation: Situation) -> list[dict[str, Any]]:
    level = situation.switch_level
    cannot_act = situation.account_reason in UNUSABLE_REASONS
    is_exit = order.reduce_only
    passes = (
        level is None
        or (level == REDUCING and order.reduce_only)
        or (level == HALTED and order.is_operator_flatten)
    )
    return [
        _check(
            "account_disabled", situation.account_status != "disabled", situation.account_status
        ),
        _check(
            "account_suspended",
            situation.account_status != "suspended" or (is_exit and not cannot_act),
            situation.account_reason,
        ),
        _check("venue_disabled", situation.venue_enabled or is_exit),
        _check("kill_switch", passes, level),
        *_owner_checks(order, situation.owner_level),
        _check(
            "group_drawdown",
            situation.group_latch is None or is_exit,
            *(situation.group_latch or ()),
        ),
    ]


def _owner_checks(order: OrderFacts, level: str | None) -> list[dict[str, Any]]:
    """A paused owner opens nothing, and a stopped one does nothing that a signal asks for."""
    if level is None:
        return []
    if level == HALTED:
        return [_check("owner_stopped", order.reduce_only and not order.is_of_signal, level)]
    return [_check("owner_paused", order.reduce_only, level)]


def _entry_checks(order: OrderFacts, situation: Situation) -> list[dict[str, Any]]:
    limits = situation.limits
    if order.notional is None or situation.reference_price is None:
        return [_check("no_price", False)]
    signed = order.notional if order.side == "buy" else -order.notional
    position = situation.position_value + signed
    exposure = abs(position) + situation.reserved_value
    return [
        _check("ledger_mismatch", situation.ledger_agrees),
        _check(
            "max_order_value",
            limits.max_order_value is None or order.notional <= limits.max_order_value,
            order.notional,
            limits.max_order_value,
        ),
        _check(
            "max_position_value",
            limits.max_position_value is None or exposure <= limits.max_position_value,
            exposure,
            limits.max_position_value,
        ),
        _collar_check(order, situation),
        *_slippage_checks(order, situation),
    ]


def _collar_check(order: OrderFacts, situation: Situation) -> dict[str, Any]:
    """The price may not be worse than the last one by more than the collar.

    A limit order is judged by its own price, a market order by how far the market has moved against
    it since it was valued. A price better than the market harms nobody and passes.
    """
    collar = situation.limits.price_collar
    last = situation.last_price or situation.reference_price
    if collar is None or not last or situation.reference_price is None:
        return _check("price_collar", True, None, collar)
    if order.price is not None:
        percent = _against(order, order.price, last)
    else:
        percent = _against(order, last, situation.reference_price)
    return _check("price_collar", percent <= collar, percent, collar)


def _slippage_checks(order: OrderFacts, situation: Situation) -> list[dict[str, Any]]:
    """For an order that says how far the market may have left it since it was valued."""
    if order.max_slippage is None or situation.reference_price is None:
        return []
    moved = _against(
        order, situation.last_price or situation.reference_price, situation.reference_price
    )
    return [_check("slippage", moved <= order.max_slippage, moved, order.max_slippage)]


def _against(order: OrderFacts, price: Decimal, base: Decimal) -> Decimal:
    """By how many percent of ``base`` a price is worse for the order."""
    adverse = price - base if order.side == "buy" else base - price
    return divided(adverse * HUNDRED, base)


def strictest(limits: list[Limits]) -> Limits:
    """The strictest of several limits, value by value."""

    def least(values: list[Decimal | None]) -> Decimal | None:
        known = [value for value in values if value is not None]
        return min(known) if known else None

    return Limits(
        max_order_value=least([each.max_order_value for each in limits]),
        max_position_value=least([each.max_position_value for each in limits]),
        price_collar=least([each.price_collar for each in limits]),
    )
