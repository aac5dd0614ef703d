"""The message of a TradingView alert, written for a bot, and what TradingView would make of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from common.errors import Invalid
from common.money import plain

from .alerts import parse_symbol
from .kinds import TARGET

STRATEGY, BUY, SELL, CLOSE = "strategy", "buy", "sell", "close"
PERCENT, IN_QUOTE, IN_BASE = "percent", "quote", "base"
MARKET, LIMIT = "market", "limit"
HELD, HELD_SIZE, HELD_BEFORE = (
    "{{strategy.market_position}}",
    "{{strategy.market_position_size}}",
    "{{strategy.prev_market_position}}",
)
TICKER, ORDER_ACTION, ORDER_ID = "{{ticker}}", "{{strategy.order.action}}", "{{strategy.order.id}}"
QUOTE_COIN, BASE_COIN = "{{syminfo.currency}}", "{{syminfo.basecurrency}}"
CLOSE_PRICE, ORDER_PRICE, NOW = "{{close}}", "{{strategy.order.price}}", "{{timenow}}"
SECRET_PLACE = "<the secret of the bot>"
_PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What an alert shall ask for. ``symbol`` is empty for that of the chart; ``side`` may be
    ``strategy``, whose orders decide, or whose position does for a target; levels are texts such as
    ``3%`` or a price, empty for none.
    """

    side: str = STRATEGY
    symbol: str = ""
    order_type: str = MARKET
    size: Decimal | None = None
    size_unit: str = PERCENT
    take_profit: str = ""
    stop_loss: str = ""
    leverage: int = 1


def message_for(bot_name: str, wish: Wish, *, with_secret: bool = False) -> str:
    """The text to paste, as JSON; ``with_secret`` leaves a place for the bot's body secret.

    Its ``alert_id`` differs from alert to alert and is the same in every delivery of one. Raises
    Invalid for a symbol that is none.
    """
    fields = {
        "botname": bot_name,
        "symbol": wish.symbol or TICKER,
        "side": _side(wish),
        "order_type": wish.order_type,
        "size": _size(wish),
        "position_size": HELD_SIZE if _holds_alike(wish) else "",
        "prev_position": HELD_BEFORE if _follows(wish) else "",
        "price": _price(wish),
        "takeprofit": wish.take_profit,
        "stoploss": wish.stop_loss,
        "leverage": str(wish.leverage) if wish.leverage > 1 else "",
        "alert_id": _alert_id(wish),
        "timenow": NOW,
        "secret": SECRET_PLACE if with_secret else "",
    }
    if wish.side == CLOSE:
        for name in ("takeprofit", "stoploss", "leverage"):
            fields[name] = ""
    told = {name: text for name, text in fields.items() if text}
    return json.dumps(told, indent=1, ensure_ascii=False)


def _follows(wish: Wish) -> bool:
    """Whether a target is that of the strategy's own position."""
    return wish.order_type == TARGET and wish.side == STRATEGY


def _holds_alike(wish: Wish) -> bool:
    """Whether as much is to be held as the strategy holds."""
    return _follows(wish) and wish.size is None


def _side(wish: Wish) -> str:
    if wish.side == STRATEGY:
        return HELD if wish.order_type == TARGET else ORDER_ACTION
    return wish.side


def _size(wish: Wish) -> str:
    if wish.size is None:
        return ""
    value = plain(wish.size)
    if wish.size_unit == PERCENT:
        return f"{value}%"
    base, quote = (BASE_COIN, QUOTE_COIN) if not wish.symbol else parse_symbol(wish.symbol)[:2]
    return f"{value} {quote if wish.size_unit == IN_QUOTE else base}"


def _price(wish: Wish) -> str:
    if wish.order_type != LIMIT:
        return ""
    return ORDER_PRICE if wish.side == STRATEGY else CLOSE_PRICE


def _alert_id(wish: Wish) -> str:
    """Two alerts of one second differ in symbol or act."""
    act = f"{ORDER_ID}-{ORDER_ACTION}" if wish.side == STRATEGY else wish.side
    return f"{TICKER}-{act}-{NOW}"


def sample_values(
    *, symbol: str, action: str, price: Decimal | None, at: datetime
) -> dict[str, str]:
    """What TradingView would put in the place of each placeholder, for an alert on ``symbol``.

    Raises Invalid for what is no symbol.
    """
    base, quote, unified = parse_symbol(symbol)
    values = {
        TICKER: f"{base}{quote}" + (".P" if ":" in unified else ""),
        "{{exchange}}": "BINANCE",
        "{{interval}}": "60",
        BASE_COIN: base,
        QUOTE_COIN: quote,
        ORDER_ACTION: action,
        ORDER_ID: "Sample",
        HELD: "long" if action == BUY else "short",
        HELD_BEFORE: "flat",
        HELD_SIZE: "1",
        "{{strategy.order.contracts}}": "1",
        NOW: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "{{time}}": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if price is not None:
        values |= {CLOSE_PRICE: plain(price), ORDER_PRICE: plain(price)}
    return values


def filled_in(message: str, values: Mapping[str, str]) -> str:
    """The message with its placeholders replaced; raises Invalid naming one without a value."""
    missing = sorted({found for found in _PLACEHOLDER.findall(message) if found not in values})
    if missing:
        raise Invalid(
            f"There is no sample value for {missing[0]}.",
            code="unknown_placeholder",
            fields={"message": f"replace {', '.join(missing[:5])} by a value"},
        )
    return _PLACEHOLDER.sub(lambda found: values[found[0]], message)
