"""From the text of an alert to what it asks for. Pure; every refusal has a code and names its
field.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

from accounts.models import Account
from common.clock import from_ms
from common.errors import BadJson, Invalid
from common.money import InvalidMoney, money
from common.strict_json import parse_strictly
from marketdata.symbols import symbol_in_market
from trading.sizing import AMOUNT, RISK_PERCENT, SizeSpec

from .kinds import KINDS, LADDER, ORDER, TARGET, Kind, kind_named

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MILLISECONDS_FROM = Decimal(10) ** 12
QUOTES = (
    "FDUSD",
    "USDT",
    "USDC",
    "TUSD",
    "BUSD",
    "USDE",
    "DAI",
    "USD",
    "EUR",
    "GBP",
    "TRY",
    "BRL",
    "JPY",
    "AUD",
    "PLN",
    "BTC",
    "ETH",
    "BNB",
)
BUY_WORDS = frozenset({"buy", "long"})
SELL_WORDS = frozenset({"sell", "short"})
EXIT_WORDS = frozenset({"close", "flat", "exit"})
TIME_FIELDS = ("timenow", "time", "timestamp")
KEPT_FIELDS = frozenset(
    {"symbol", "ticker", "side", "action", "order_type", "type", "size", "quantity", "leverage",
     "takeprofit", "take_profit", "stoploss", "stop_loss", "price", "position_size",
     "prev_position", *TIME_FIELDS}
)  # fmt: skip
HELD_WORDS = {"long": "long", "short": "short", "flat": "flat", "none": "flat"}
_SIZE = re.compile(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(%|[A-Za-z0-9]{2,15})?\Z", re.ASCII)
_SYMBOL = re.compile(
    r"(?:[A-Z0-9_]+:)?([A-Z0-9]{1,20})(?:[/_-]([A-Z0-9]{2,10}))?(?::[A-Z]+)?(\.P|PERP)?\Z"
)


@dataclass(frozen=True, slots=True)
class Alert:
    """What an alert asks for. ``is_exit`` closes what the bot holds; ``size`` may then be None (all
    of it). ``kind`` is order, ladder or target; ``held_before`` is long, short or flat where a
    target's sender says what it believes to be held.
    """

    symbol: str
    base: str
    quote: str
    side: str
    is_exit: bool
    type: str
    size: SizeSpec | None
    leverage: int
    take_profit: str
    stop_loss: str
    price: Decimal | None
    kind: str = ORDER
    held_before: str = ""

    def symbol_at(self, account: Account) -> str:
        """The symbol as the account trades it: spot or contract, where the alert leaves it open."""
        return symbol_in_market(self.symbol, account.market_type)

    def as_json(self) -> dict[str, Any]:
        """The alert as it is stored with its signal."""
        return {
            "symbol": self.symbol,
            "kind": self.kind,
            "side": self.side,
            "is_exit": self.is_exit,
            "type": self.type,
            "size": self.size.as_text() if self.size else None,
            "leverage": self.leverage,
            "take_profit": self.take_profit,
            "stop_loss": self.stop_loss,
            "price": None if self.price is None else str(self.price),
        }


def load_json(body: bytes) -> dict[str, Any]:
    """The body as a JSON object with exact numbers; raises BadJson for what is not strict JSON."""
    value = parse_strictly(body.removeprefix(BYTE_ORDER_MARK), limit=len(body))
    if not isinstance(value, dict):
        raise BadJson("The body must be a JSON object.")
    return value


def _wrong(field: str, code: str, problem: str) -> NoReturn:
    raise Invalid(f"{field}: {problem}", code=code, fields={field: problem})


def text_of(body: dict[str, Any], *names: str) -> str:
    """The first of these fields that is there, as text; numbers are taken as written."""
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
            return str(value).strip()
        _wrong(name, "validation_error", "must be text or a number")
    return ""


def kept_fields(body: dict[str, Any]) -> dict[str, Any]:
    """The fields that judging reads, as they came, in a form JSON can store; no secret is among
    them.
    """
    return {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in body.items()
        if name in KEPT_FIELDS and not isinstance(value, (dict, list))
    } | {name: [] for name in KEPT_FIELDS if isinstance(body.get(name), (dict, list))}


def parse_alert(body: dict[str, Any]) -> Alert:
    """What the alert asks for; raises Invalid naming the field."""
    base, quote, symbol = parse_symbol(text_of(body, "symbol", "ticker"))
    kind = _kind(text_of(body, "order_type", "type"))
    if kind.name == TARGET:
        side, size = _target(body, base, quote)
        is_exit = size is None
    else:
        side, is_exit = _side(text_of(body, "side", "action"))
        size = _size(text_of(body, "size", "quantity"), base, quote, is_exit)
    price_text = text_of(body, "price")
    type_ = kind.type or ("limit" if price_text and not is_exit else "market")
    alert = Alert(
        symbol=symbol,
        base=base,
        quote=quote,
        side=side,
        is_exit=is_exit,
        type=type_,
        size=size,
        leverage=_leverage(text_of(body, "leverage")),
        take_profit=_level("takeprofit", text_of(body, "takeprofit", "take_profit")),
        stop_loss=_level("stoploss", text_of(body, "stoploss", "stop_loss")),
        price=_price(price_text, type_),
        kind=kind.name,
        held_before=_held_before(text_of(body, "prev_position")),
    )
    _demand_fit(alert, kind)
    return alert


def _demand_fit(alert: Alert, kind: Kind) -> None:
    """The entry of a long kind is a buy, that of a short one a sell; a ladder has its target."""
    if kind.side and not alert.is_exit and alert.side != kind.side:
        _wrong("side", "side_mismatch", f"must be {kind.side} for this order_type")
    if kind.name == LADDER and not alert.is_exit and not alert.take_profit:
        _wrong("takeprofit", "take_profit_required", "a ladder needs a take-profit")


def _target(body: dict[str, Any], base: str, quote: str) -> tuple[str, SizeSpec | None]:
    """The side and size that are to be held, None for nothing.

    ``position_size`` is an amount of the base currency unless it says its unit, as TradingView
    fills it in, below zero for short; ``size`` is what it is in every alert.
    """
    text, sized = text_of(body, "position_size"), text_of(body, "size", "quantity")
    if text and sized:
        _wrong("position_size", "validation_error", "give either position_size or size")
    word, is_short = text_of(body, "side", "action"), text.startswith("-")
    side, is_flat = _side(word) if word else ("sell" if is_short else "buy", False)
    text = text.removeprefix("-")
    match = _SIZE.match(text or sized)
    if is_flat or (match and _number("size", match.group(1)) == 0):
        return "sell", None
    if is_short and side == "buy":
        _wrong("position_size", "side_mismatch", "is below zero, and the side is buy")
    if match and text and not match.group(2):
        text = f"{text} {base}"
    return side, _size(text or sized, base, quote, False)


def _held_before(text: str) -> str:
    if not text:
        return ""
    if text.lower() in HELD_WORDS:
        return HELD_WORDS[text.lower()]
    number = _number("prev_position", text)
    return "long" if number > 0 else "short" if number < 0 else "flat"


def parse_symbol(text: str) -> tuple[str, str, str]:
    """(base, quote, unified symbol) of ``BTC/USDT``, ``BINANCE:BTCUSDT``, ``BTC-USDT``,
    ``BTCUSDT.P``.
    """
    if not text:
        _wrong("symbol", "validation_error", "is required")
    match = _SYMBOL.match(text.upper())
    if match is None:
        _wrong("symbol", "unknown_symbol", "is not a symbol")
    base, quote, perpetual = match.group(1), match.group(2) or "", match.group(3)
    if base.endswith("PERP") and not quote:
        base, perpetual = base[:-4], "PERP"
    if not quote:
        quote = next((each for each in QUOTES if base.endswith(each) and base != each), "")
        if not quote:
            _wrong("symbol", "unknown_symbol", "names no known quote currency")
        base = base[: -len(quote)]
    return base, quote, f"{base}/{quote}:{quote}" if perpetual else f"{base}/{quote}"


def _side(text: str) -> tuple[str, bool]:
    word = text.lower()
    if word in BUY_WORDS:
        return "buy", False
    if word in SELL_WORDS:
        return "sell", False
    if word in EXIT_WORDS:
        return "sell", True
    return _wrong("side", "unknown_side", "must be buy, sell, long, short, close or flat")


def _kind(text: str) -> Kind:
    kind = kind_named(text)
    if kind is None:
        _wrong(
            "order_type",
            "unknown_order_type",
            f"must be one of {', '.join(sorted(filter(None, KINDS)))}",
        )
    return kind


def _number(field: str, text: str) -> Decimal:
    try:
        return money(text)
    except InvalidMoney as error:
        return _wrong(field, "validation_error", str(error))


def _size(text: str, base: str, quote: str, is_exit: bool) -> SizeSpec | None:
    if not text:
        return None if is_exit else _wrong("size", "validation_error", "is required")
    match = _SIZE.match(text)
    if match is None:
        _wrong("size", "validation_error", "must be a number, optionally with % or a currency")
    value, unit = _number("size", match.group(1)), (match.group(2) or "%").upper()
    if value <= 0:
        _wrong("size", "validation_error", "must be above 0")
    if unit == "%":
        if value > 100:
            _wrong("size", "validation_error", "a percentage is at most 100")
        return SizeSpec(RISK_PERCENT, value)
    if unit not in (base, quote):
        _wrong("size", "unknown_size_unit", f"the unit must be %, {base} or {quote}")
    return SizeSpec(AMOUNT, value, unit)


def _leverage(text: str) -> int:
    if text in ("", "0"):
        return 0
    word = text.lower().removesuffix("x").strip()
    if not (word.isascii() and word.isdecimal()) or not 1 <= int(word[:6]) <= 100:
        _wrong("leverage", "validation_error", "must be a whole number from 1 to 100")
    return int(word)


def _level(field: str, text: str) -> str:
    """A price, or a percentage of the fill price as in ``3%``; empty for none."""
    number = text.removesuffix("%").strip()
    if number in ("", "0"):
        return ""
    value = _number(field, number)
    if value <= 0:
        _wrong(field, "validation_error", "must be above 0")
    return f"{value:f}%" if text.endswith("%") else f"{value:f}"


def _price(text: str, type_: str) -> Decimal | None:
    if type_ != "limit":
        return None
    if not text:
        _wrong("price", "validation_error", "a limit order needs a price")
    value = _number("price", text)
    if value <= 0:
        _wrong("price", "validation_error", "must be above 0")
    return value


def alert_time(body: dict[str, Any]) -> datetime | None:
    """The alert's own time (``timenow``, ``time``, ``timestamp``): ISO 8601 or epoch seconds or
    milliseconds.
    """
    text = text_of(body, *TIME_FIELDS)
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{9,14}(\.\d+)?", text):
            number = Decimal(text)
            return from_ms(int(number if number >= MILLISECONDS_FROM else number * 1000))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return _wrong("time", "validation_error", "is not a time")
    if moment.tzinfo is None:
        _wrong("time", "validation_error", "needs a time zone")
    return moment
