"""What a failed check says to the person whose order it refused. Pure."""

from decimal import Decimal, InvalidOperation
from typing import Any

HUNDREDTH = Decimal("0.01")
# ``{value}`` and ``{limit}`` are what was compared.
SENTENCES = {
    "account_disabled": "the account is disabled",
    "account_suspended": "the account is suspended: {value}",
    "venue_disabled": "an operator switched the venue off",
    "kill_switch": "a kill switch is engaged: {value}",
    "owner_paused": "its bot or strategy is paused",
    "owner_stopped": "its bot or strategy is stopped",
    "group_drawdown": "a group of the account stands {value} % below its peak, where {limit} % end "
    "its entries until a person resets the guard",
    "no_price": "no price is known to judge it by",
    "ledger_mismatch": "ledger and exchange differ in this symbol",
    "max_order_value": "it is worth {value}, and an order may be worth {limit}",
    "max_position_value": "the position might be worth {value}, and may be worth {limit}",
    "price_collar": "its price is {value} % worse than the market's, and may be {limit} %",
    "slippage": "the price has moved {value} % against it, and may move {limit} %",
}


def sentence_of(check: dict[str, Any]) -> str:
    """The sentence of a failed check, with the values it compared to two places."""
    told = {name: _short(check[name]) for name in ("value", "limit")}
    return SENTENCES[check["check"]].format(**told).removesuffix(": ")


def _short(value: Any) -> str:
    """A value as a check keeps it: a decimal as text, a word, or nothing."""
    text = "" if value is None else str(value)
    try:
        return str(Decimal(text).quantize(HUNDREDTH)) if "." in text else text
    except InvalidOperation:  # a word with a full stop, or more digits than can be cut
        return text
