"""How much a leg is: an entry by its size, an exit by what is there."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from accounts.models import Account
from common.clock import now
from common.money import ZERO, floored, multiplied, plain
from exchanges.protocol import MarketRules
from trading.models import Position
from trading.sizing import Basis, Sized, SizeSpec, fit_quantity, size_order

from .admission import Surroundings
from .entry_bounds import share_within, stop_of
from .entry_legs import too_small
from .exits import closes_of, held_by
from .intents import LOT, OrderIntent
from .leg_demands import LegRefused, demand


def size_within(
    account: Account, intent: OrderIntent, around: Surroundings
) -> tuple[SizeSpec | None, dict[str, Any]]:
    """The size within the account's groups' risk limit, and what the decision says of a cut."""
    limit = around.group_risk_limits.get(account.pk)
    at_risk = around.at_risk.get((account.pk, account.book), ZERO)
    share = share_within(account, intent, limit, at_risk)
    if share.allowed == 0 and limit is not None:
        raise LegRefused(
            "denied_group_open_risk",
            f"{plain(limit)} % of equity, which the account's group allows, is at risk already",
            limit=plain(limit),
            at_risk=plain(at_risk),
        )
    return share.size, share.facts or {}


def sized_leg(
    account: Account,
    intent: OrderIntent,
    size: SizeSpec | None,
    rules: MarketRules,
    price: Decimal | None,
    position: Position | None,
) -> Sized:
    """An entry by its quantity or by ``size``, an exit by what is held; raises LegRefused."""
    if intent.reduce_only:
        return _exit_size(account, intent, rules, price, position)
    basis = basis_of(account, intent, rules, price)
    if intent.quantity is not None:
        if floored(intent.quantity, rules.amount_step) != intent.quantity:
            raise LegRefused(
                "off_precision", "quantity is not a multiple of the venue's step", field="quantity"
            )
        sized = fit_quantity(intent.quantity, basis)
    elif size is not None:
        sized = size_order(size, basis)
    else:
        raise LegRefused("size_required", "an entry needs a size")
    if sized.code:
        raise LegRefused(sized.code, sized.message)
    demand(too_small(intent, rules, _known(price), sized.quantity))
    return sized


def basis_of(
    account: Account, intent: OrderIntent, rules: MarketRules, price: Decimal | None
) -> Basis:
    """What an entry is sized by; raises LegRefused without a fresh balance or a price."""
    _demand_fresh_equity(account)
    price = _known(price)
    return Basis(
        rules=rules,
        price=intent.price or price,
        equity=account.equity,
        leverage=max(intent.leverage, 1),
        stop_price=stop_of(intent, rules, price),
    )


def _known(price: Decimal | None) -> Decimal:
    if price is None:
        raise LegRefused("price_unavailable", "no price is known")
    return price


def _demand_fresh_equity(account: Account) -> None:
    oldest = now() - timedelta(seconds=settings.BALANCE_MAX_AGE_SECONDS)
    if account.equity_at is None or account.equity_at < oldest:
        raise LegRefused(
            "stale_balance",
            "the account's balance is older than allowed; entries wait for a new one",
        )


def _exit_size(
    account: Account,
    intent: OrderIntent,
    rules: MarketRules,
    price: Decimal | None,
    position: Position | None,
) -> Sized:
    """What an exit closes: the owner's lot or the whole position, at most what is there."""
    if position is None or position.side == intent.side:
        raise LegRefused(
            "short_not_supported"
            if intent.side == "sell" and account.market_type == "spot"
            else "no_position",
            "there is nothing to close",
        )
    _demand_no_close_in_flight(position, intent)
    is_of_lot = intent.exit_scope == LOT
    held = held_by(position, intent.magic_id) if is_of_lot else position.quantity
    if held == 0:
        raise LegRefused(
            "short_not_supported" if account.market_type == "spot" else "no_position",
            "this owner holds nothing",
        )
    wanted = held if intent.quantity is None else min(intent.quantity, held)
    quantity = floored(wanted, rules.amount_step)
    if quantity == 0:
        raise LegRefused("below_min_amount", "what is held is below the venue's step")
    valued_at = intent.price or price or position.average_price
    return Sized(quantity=quantity, notional=multiplied(quantity, valued_at))


def _demand_no_close_in_flight(position: Position, intent: OrderIntent) -> None:
    if intent.is_protective:
        return
    owner = intent.magic_id if intent.exit_scope == LOT else None
    for close in closes_of(position, owner):
        raise LegRefused(
            "position_close_in_progress", "a close of this position is running", order_id=close.pk
        )
