"""From a leg that names a target to the order that leads there."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from accounts.models import Account
from common.money import divided, floored, multiplied, plain
from exchanges.protocol import MarketRules
from trading.sizing import RISK_PERCENT, Basis, SizeSpec, fit_quantity, wanted_quantity

from .admission import Surroundings
from .aiming import Step, Stock, UnderWay, next_step
from .folding import is_hedging
from .intents import LOT, OrderIntent
from .leg_demands import LegRefused
from .leg_sizes import basis_of, size_within

TOO_LITTLE = frozenset({"below_min_notional", "below_min_amount"})
FLAT, LONG, SHORT = "flat", "long", "short"
# What its owner holds is not what the sender believed: an earlier signal did not come to its end.
HEALED = "healed"


def towards_target(
    account: Account,
    intent: OrderIntent,
    around: Surroundings,
    rules: MarketRules,
    price: Decimal | None,
) -> tuple[OrderIntent, dict[str, Any]]:
    """The order that leads from what the owner has to the intent's target, and what the decision
    says of it.

    The caller holds the account's lock and the stream. An entry's part of a size in percent is held
    against the groups' risk limit like an entry of its own. Raises LegRefused ``target_reached``
    where nothing is to do, ``orders_under_way`` where that is not to be told yet, and what an entry
    is refused for.
    """
    stock = around.stocks.get((account.pk, account.book, intent.magic_id), Stock())
    noted = _noted(stock, intent)
    if intent.reduce_only:
        if not stock.held:
            raise LegRefused("target_reached", "nothing is held, as it shall be", **noted)
        return replace(intent, is_target=False, held_before=""), noted
    if account.market_type == "spot" and intent.side == "sell":
        raise LegRefused("short_not_supported", "spot cannot be held short", **noted)
    if intent.size is None:
        raise LegRefused("size_required", "a target needs a size")
    basis = basis_of(account, intent, rules, price)
    wanted = _wanted(intent.size, basis)
    try:
        step = next_step(stock, intent.side, wanted, rules.amount_step)
    except UnderWay:
        raise LegRefused(
            "orders_under_way", "orders on their way have to end before this can be told", **noted
        ) from None
    if step is None:
        raise LegRefused("target_reached", "the account holds what it shall", **noted)
    position_id = step.position_id if is_hedging(account) else 0
    if step.is_exit:
        return _exit(intent, step, position_id), noted
    part, told = _within_limit(account, intent, around, rules, wanted, step.quantity or wanted)
    _demand_enough(part, basis, stock, noted)
    entry = replace(
        intent, is_target=False, held_before="", size=None, quantity=part, position_id=position_id
    )
    notes = [*noted.get("notes", ()), *told.get("notes", ())]
    return entry, noted | told | ({"notes": notes} if notes else {})


def _noted(stock: Stock, intent: OrderIntent) -> dict[str, Any]:
    """What the owner has, and whether the sender believed so."""
    noted: dict[str, Any] = {"target": {"held": plain(stock.held), "coming": plain(stock.coming)}}
    have = stock.held + stock.coming
    side = LONG if have > 0 else SHORT if have < 0 else FLAT
    if intent.held_before and intent.held_before != side:
        noted["notes"] = [HEALED]
    return noted


def _wanted(size: SizeSpec, basis: Basis) -> Decimal:
    """The target in base units, on the venue's step; raises LegRefused."""
    if basis.equity <= 0 and size.kind == RISK_PERCENT:
        raise LegRefused("no_equity", "the account has no equity")
    sized = wanted_quantity(size, basis)
    if sized.code:
        raise LegRefused(sized.code, sized.message)
    return floored(sized.quantity, basis.rules.amount_step)


def _exit(intent: OrderIntent, step: Step, position_id: int) -> OrderIntent:
    """Close what is too much, or all of what is held on the other side."""
    return replace(
        intent,
        is_target=False,
        held_before="",
        side=step.side,
        size=None,
        quantity=step.quantity,
        reduce_only=True,
        exit_scope=LOT,
        position_id=position_id,
        take_profit="",
        stop_loss="",
        trailing_stop="",
    )


def _within_limit(
    account: Account,
    intent: OrderIntent,
    around: Surroundings,
    rules: MarketRules,
    wanted: Decimal,
    missing: Decimal,
) -> tuple[Decimal, dict[str, Any]]:
    """What is missing, cut like an entry whose percentage is its part of the target's."""
    size = intent.size
    if size is None or size.kind != RISK_PERCENT:
        return missing, {}
    percent = divided(multiplied(size.value, missing), wanted)
    asked = replace(intent, size=SizeSpec(RISK_PERCENT, percent))
    allowed, told = size_within(account, asked, around)
    if not told or allowed is None:
        return missing, {}
    return floored(divided(multiplied(missing, allowed.value), percent), rules.amount_step), told


def _demand_enough(part: Decimal, basis: Basis, stock: Stock, noted: dict[str, Any]) -> None:
    """What is missing, but too little for an order, counts as reached where something is held."""
    if stock.held and part and fit_quantity(part, basis).code in TOO_LITTLE:
        raise LegRefused(
            "target_reached", "what is missing is below the venue's least order", **noted
        )
