"""How large an order is: from what was asked for to a quantity the venue accepts. Pure, Decimal
only.

Nothing is ever rounded up to meet a venue's minimum, since that would break the promise about risk.
"""

from dataclasses import dataclass
from decimal import Decimal

from common.money import EXACT, floored, multiplied, plain
from exchanges.protocol import MarketRules

RISK_PERCENT, AMOUNT = "risk_percent", "amount"
HUNDRED = Decimal(100)
MAX_DISTORTION_PERCENT = Decimal(20)
CAP_BUFFER_PERCENT = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class SizeSpec:
    """A size as asked for: a percentage of equity at risk, or an amount of a currency (base or
    quote).
    """

    kind: str
    value: Decimal
    currency: str = ""

    @classmethod
    def from_text(cls, text: str) -> "SizeSpec":
        """The size that :meth:`as_text` wrote."""
        if text.endswith("%"):
            return cls(RISK_PERCENT, Decimal(text[:-1]))
        value, _, currency = text.partition(" ")
        return cls(AMOUNT, Decimal(value), currency)

    def as_text(self) -> str:
        """The size as a person would write it."""
        return (
            f"{plain(self.value)}%"
            if self.kind == RISK_PERCENT
            else f"{plain(self.value)} {self.currency}"
        )


@dataclass(frozen=True, slots=True)
class Sized:
    """The quantity in base units (contracts on derivatives), or the reason why there is none.

    ``notional`` is in quote. ``code`` is empty when the order can be made.
    """

    quantity: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a size is computed from: ``price`` in quote, ``equity`` in quote, leverage as a
    factor.
    """

    rules: MarketRules
    price: Decimal
    equity: Decimal
    leverage: int = 1
    stop_price: Decimal | None = None


def wanted_quantity(spec: SizeSpec, basis: Basis) -> Sized:
    """The exact quantity before the venue's rules.

    With a stop: equity * risk % / (|price - stop| * contract size), capped so that the notional
    stays below equity * leverage. Without: margin = equity * risk %, notional = margin * leverage.
    """
    unit = EXACT.multiply(basis.price, basis.rules.contract_size)
    if spec.kind == AMOUNT:
        return _amount(spec, basis, unit)
    risked = EXACT.divide(EXACT.multiply(basis.equity, spec.value), HUNDRED)
    if basis.stop_price is None:
        return Sized(quantity=EXACT.divide(risked * basis.leverage, unit))
    distance = abs(basis.price - basis.stop_price) * basis.rules.contract_size
    if distance == 0:
        return Sized(code="stop_at_price", message="the stop stands at the entry price")
    ceiling = basis.equity * basis.leverage * (HUNDRED - CAP_BUFFER_PERCENT) / HUNDRED
    return Sized(quantity=min(EXACT.divide(risked, distance), EXACT.divide(ceiling, unit)))


def _amount(spec: SizeSpec, basis: Basis, unit: Decimal) -> Sized:
    if spec.currency == basis.rules.base:
        return Sized(quantity=EXACT.divide(spec.value, basis.rules.contract_size))
    if spec.currency == basis.rules.quote:
        return Sized(quantity=EXACT.divide(spec.value, unit))
    return Sized(
        code="unknown_size_unit",
        message=f"{spec.currency} is neither {basis.rules.base} nor {basis.rules.quote}",
    )


def fit_quantity(quantity: Decimal, basis: Basis) -> Sized:
    """Cut a wanted quantity down to the venue's step and hold it against the venue's bounds."""
    rules = basis.rules
    unit = EXACT.multiply(basis.price, rules.contract_size)
    if rules.min_cost is not None and EXACT.multiply(quantity, unit) < rules.min_cost:
        return Sized(
            code="below_min_notional",
            message=f"below the venue's minimum value of {plain(rules.min_cost)} {rules.quote}",
        )
    fitted = floored(quantity, rules.amount_step)
    if fitted == 0 or (rules.min_amount is not None and fitted < rules.min_amount):
        return Sized(
            code="below_min_amount", message=f"below the venue's least amount ({rules.base})"
        )
    if rules.max_amount is not None and fitted > rules.max_amount:
        return Sized(
            code="above_max_amount", message=f"above the venue's largest amount ({rules.base})"
        )
    notional = multiplied(fitted, unit)
    if rules.min_cost is not None and notional < rules.min_cost:
        return Sized(
            code="below_min_notional",
            message="cut to the venue's step it is below its minimum value",
        )
    lost = EXACT.divide((quantity - fitted) * HUNDRED, quantity)
    if lost > MAX_DISTORTION_PERCENT:
        return Sized(code="size_distorted", message=f"the venue's step would cut {lost:.1f} % off")
    return Sized(quantity=fitted, notional=notional)


def size_order(spec: SizeSpec, basis: Basis) -> Sized:
    """From what was asked for to a quantity the venue takes, or a coded reason."""
    if basis.equity <= 0 and spec.kind == RISK_PERCENT:
        return Sized(code="no_equity", message="the account has no equity")
    wanted = wanted_quantity(spec, basis)
    return wanted if wanted.code else fit_quantity(wanted.quantity, basis)
