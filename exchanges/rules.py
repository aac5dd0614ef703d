"""ccxt's description of a market as the rules that sizing and checks work with."""

from decimal import Decimal
from typing import Any

from common.money import rounded

from .protocol import MarketRules

TICK_SIZE = 4


def market_rules(market: dict[str, Any], precision_mode: int) -> MarketRules:
    """ccxt's market as rules; precision given in digits becomes a step."""
    limits = market.get("limits") or {}

    def step(name: str) -> Decimal:
        value = exact_number((market.get("precision") or {}).get(name))
        if value is None:
            return Decimal(1).scaleb(-8)
        return value if precision_mode == TICK_SIZE else Decimal(1).scaleb(-int(value))

    return MarketRules(
        symbol=market["symbol"],
        base=market["base"],
        quote=market["quote"],
        market_type=market.get("type") or "spot",
        amount_step=step("amount"),
        price_step=step("price"),
        min_amount=_positive((limits.get("amount") or {}).get("min")),
        max_amount=_positive((limits.get("amount") or {}).get("max")),
        min_cost=_positive((limits.get("cost") or {}).get("min")),
        contract_size=_positive(market.get("contractSize")) or Decimal(1),
        active=market.get("active") is not False,
        max_leverage=_positive((limits.get("leverage") or {}).get("max")),
    )


def exact_number(value: Any) -> Decimal | None:
    """A number of ccxt's at 18 places; None where it has none."""
    return None if value in (None, "") else rounded(Decimal(str(value)))


def _positive(value: Any) -> Decimal | None:
    number = exact_number(value)
    return number if number is not None and number > 0 else None
