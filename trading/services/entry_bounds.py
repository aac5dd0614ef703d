"""How far an entry may go: the leverage it may ask for, and the share of equity it may put at risk.
Pure.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.models import Account
from common.money import EXACT, ZERO, divided, multiplied, plain
from exchanges.protocol import MarketRules
from trading.brackets import STOP
from trading.sizing import HUNDRED, RISK_PERCENT, SizeSpec

from .entry_legs import legs_of
from .intents import OrderIntent

RISK_CAPPED = "risk_capped"
STOP_TYPE = "stop_loss"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest leverage and who allows no more."""

    leverage: int
    whose: str


def leverage_ceiling(account: Account, intent: OrderIntent, rules: MarketRules) -> Ceiling:
    """The least of what the bot, the account and the venue's market allow, as far as they say."""
    known = [Ceiling(account.max_leverage, "account")]
    if intent.max_leverage is not None:
        known.append(Ceiling(intent.max_leverage, "bot"))
    if rules.max_leverage is not None:
        known.append(Ceiling(int(rules.max_leverage), "venue"))
    return min(known, key=lambda each: each.leverage)


@dataclass(frozen=True, slots=True)
class Share:
    """A size within a group's limit; ``allowed`` is what is left of it, in percent of equity.

    ``facts`` go into the leg's decision and are empty where nothing was cut.
    """

    size: SizeSpec | None
    allowed: Decimal | None = None
    facts: dict[str, Any] | None = None


def share_within(
    account: Account, intent: OrderIntent, limit: Decimal | None, at_risk: Decimal
) -> Share:
    """An entry's percentage cut down to the group's limit less what the account has at risk
    already (``at_risk``, in quote currency). A size in other units says no share and stays.
    """
    size = intent.size
    is_share = size is not None and size.kind == RISK_PERCENT and not intent.reduce_only
    if size is None or not is_share or limit is None or account.equity <= 0:
        return Share(size)
    open_share = divided(EXACT.multiply(at_risk, HUNDRED), account.equity)
    allowed = max(limit - open_share, ZERO)
    if size.value <= allowed:
        return Share(size, allowed)
    told = {"asked": size.value, "allowed": allowed, "limit": limit, "open": open_share}
    return Share(
        SizeSpec(RISK_PERCENT, allowed),
        allowed,
        {"notes": [RISK_CAPPED], "risk": {name: plain(value) for name, value in told.items()}},
    )


def stop_of(intent: OrderIntent, rules: MarketRules, price: Decimal) -> Decimal | None:
    """The price at which an entry's loss ends; None without a stop."""
    if intent.type == STOP_TYPE:
        return intent.stop_price
    return legs_of(intent, rules, price).get(STOP)


def put_at_risk(
    intent: OrderIntent, rules: MarketRules, price: Decimal | None, quantity: Decimal
) -> Decimal | None:
    """What an entry loses when it is stopped out, in quote currency; None where nothing stops
    it.
    """
    if intent.reduce_only or price is None:
        return None
    stop = stop_of(intent, rules, price)
    if stop is None:
        return None
    return multiplied(quantity, abs((intent.price or price) - stop), rules.contract_size)
