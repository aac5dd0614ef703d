"""Whether the protection that an order wishes for makes sense with it. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from common.money import EXACT, ZERO, plain
from exchanges.protocol import MarketRules
from trading.brackets import STOP, TARGET, distance, is_right_side, leg_price

from .intents import OrderIntent

BELOW_MINIMUM = "below_min_notional"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an order's wishes cannot be kept: a code, a sentence and the field at fault."""

    code: str
    message: str
    field: str


def legs_of(intent: OrderIntent, rules: MarketRules, price: Decimal) -> dict[str, Decimal]:
    """The prices of the legs, by kind, as if the entry filled at its own price, else at ``price``;
    a trailing stop counts as a stop where no tighter one is wished for.
    """
    average, side, step = intent.price or price, intent.side, rules.price_step
    found = {
        kind: leg_price(kind, text, average=average, side=side, step=step)
        for kind, text in ((STOP, intent.stop_loss), (TARGET, intent.take_profit))
        if text
    }
    if intent.trailing_stop and STOP not in found:
        away = distance(intent.trailing_stop, average)
        found[STOP] = average - away if side == "buy" else average + away
    return found


def misplaced(intent: OrderIntent, rules: MarketRules, price: Decimal | None) -> Problem | None:
    """What is wrong with the wishes themselves."""
    wished = [intent.stop_loss, intent.take_profit, intent.trailing_stop]
    if not any(wished):
        return None
    if intent.reduce_only:
        return Problem("protection_of_an_exit", "an exit opens nothing to protect", "reduce_only")
    average = intent.price or price or ZERO
    if intent.trailing_stop and not ZERO < distance(intent.trailing_stop, average) < average:
        return Problem(
            "trailing_stop_too_wide", "its distance is no part of the price", "trailing_stop"
        )
    for kind, stands in legs_of(intent, rules, average).items():
        if not is_right_side(kind, stands, average=average, side=intent.side):
            return Problem(f"{kind}_wrong_side", f"{kind} is on the wrong side of the price", kind)
    return None


def too_small(
    intent: OrderIntent, rules: MarketRules, price: Decimal, quantity: Decimal
) -> Problem | None:
    """A leg worth less than its venue takes; contracts close whatever they are worth."""
    if rules.min_cost is None or rules.market_type != "spot":
        return None
    for kind, stands in legs_of(intent, rules, price).items():
        if EXACT.multiply(quantity, stands) < rules.min_cost:
            least = f"{plain(rules.min_cost)} {rules.quote}"
            return Problem(BELOW_MINIMUM, f"its {kind} would be worth less than {least}", kind)
    return None
