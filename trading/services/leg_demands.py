"""What a leg has to fulfil before it is sized: a market that takes it, leverage, prices."""

from typing import Any

from accounts.models import Account, Book
from common.money import floored
from exchanges.protocol import MarketRules

from .entry_bounds import leverage_ceiling
from .entry_legs import Problem
from .intents import OrderIntent
from .market_view import Seen
from .venue_access import moved_address

PRICED_TYPES = frozenset({"limit"})
STOP_TYPES = frozenset({"stop_loss", "take_profit"})


class LegRefused(Exception):
    """Why one leg makes no order: its code, and the decision that keeps it."""

    def __init__(self, code: str, message: str = "", **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.decision = {"allowed": False, "code": code, "message": message, **facts}


def open_market(account: Account, intent: OrderIntent, seen: Seen) -> MarketRules:
    """The rules of a market that takes orders, at the venue the account was made for."""
    rules = _known_market(account, intent, seen)
    if not rules.active:
        raise LegRefused("market_inactive", "the venue has suspended this market")
    if moved_address(account):
        raise LegRefused(
            "venue_address_changed", "the venue's address changed since the account was made"
        )
    return rules


def _known_market(account: Account, intent: OrderIntent, seen: Seen) -> MarketRules:
    """The rules, with a price for whatever cannot do without: an entry, and all in shadow."""
    is_shadow = account.book == Book.SHADOW
    if seen.rules is not None and is_shadow and seen.price is None:
        raise LegRefused("stale_quote", "shadow needs a fresh quote", seen=seen.code)
    if seen.rules is None or (seen.price is None and not intent.reduce_only):
        raise LegRefused(seen.code or "market_unavailable", seen.message)
    return seen.rules


def demand_leverage(account: Account, intent: OrderIntent, rules: MarketRules) -> None:
    if account.market_type == "spot":
        if intent.leverage > 1:
            raise LegRefused("leverage_not_supported", "spot has no leverage")
    else:
        _demand_derivative(account, intent, rules)


def _demand_derivative(account: Account, intent: OrderIntent, rules: MarketRules) -> None:
    """Linear contracts of one unit of the base currency, at a venue whose position mode is
    known.
    """
    settle = rules.symbol.partition(":")[2]
    if settle != rules.quote:
        raise LegRefused("contract_not_supported", "only contracts settled in their quote currency")
    if rules.contract_size != 1:
        raise LegRefused(
            "contract_not_supported", "only contracts of one unit of the base currency"
        )
    if not account.kept_position_mode:
        raise LegRefused("venue_mode_unknown", "the venue has not told its position mode yet")
    ceiling = leverage_ceiling(account, intent, rules)
    if not intent.reduce_only and intent.leverage > ceiling.leverage:
        raise LegRefused(
            "leverage_above_limit",
            f"the {ceiling.whose} allows a leverage of at most {ceiling.leverage}",
            limit=ceiling.leverage,
        )


def demand_prices(intent: OrderIntent, rules: MarketRules) -> None:
    """The prices that the type needs, on the venue's steps."""
    if intent.type in PRICED_TYPES and intent.price is None:
        raise LegRefused("price_required", "a limit order needs a price")
    if intent.type in STOP_TYPES and intent.stop_price is None:
        raise LegRefused("stop_price_required", "a triggered order needs a stop price")
    for name, value in (("price", intent.price), ("stop_price", intent.stop_price)):
        if value is not None and (value <= 0 or floored(value, rules.price_step) != value):
            raise LegRefused(
                "off_precision", f"{name} is not a multiple of the venue's step", field=name
            )


def demand(problem: Problem | None) -> None:
    if problem is not None:
        raise LegRefused(problem.code, problem.message, field=problem.field)
