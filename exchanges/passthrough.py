"""Which functions of ccxt a caller may use by name, with what, and the call itself.

A static list: what is not on it is not called, whatever ccxt makes of a name. Both of ccxt's
spellings of a name on it are known (``fetch_ticker``, ``fetchTicker``), nothing is derived.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from common.errors import Invalid, NotFound
from common.redaction import redact_json

from .candles import CandleQuery, read_candles, support_at
from .client import CcxtClient
from .gateway import gateway
from .outcomes import NOT_SENT, VenueError
from .protocol import AccountRef
from .venues import Venue, resolve

MOST_SYMBOLS = 100
MOST_ROWS = 1000
# Resampled candles where no limit is given.
USUAL_ROWS = 100
LATEST_MS = 4_102_444_800_000
_RANGE = ("symbol", "since", "limit")
# Function, what it takes in ccxt's order, and whether it speaks for the account.
_TABLE: tuple[tuple[str, str, tuple[str, ...], bool], ...] = (
    ("fetch_time", "fetchTime", (), False),
    ("fetch_status", "fetchStatus", (), False),
    ("fetch_ticker", "fetchTicker", ("symbol",), False),
    ("fetch_tickers", "fetchTickers", ("symbols",), False),
    ("fetch_bids_asks", "fetchBidsAsks", ("symbols",), False),
    ("fetch_order_book", "fetchOrderBook", ("symbol", "limit"), False),
    ("fetch_trades", "fetchTrades", _RANGE, False),
    ("fetch_ohlcv", "fetchOHLCV", ("symbol", "timeframe", "since", "limit"), False),
    ("fetch_funding_rate", "fetchFundingRate", ("symbol",), False),
    ("fetch_funding_rate_history", "fetchFundingRateHistory", _RANGE, False),
    ("fetch_balance", "fetchBalance", (), True),
    ("fetch_order", "fetchOrder", ("id", "symbol"), True),
    ("fetch_orders", "fetchOrders", _RANGE, True),
    ("fetch_open_orders", "fetchOpenOrders", _RANGE, True),
    ("fetch_closed_orders", "fetchClosedOrders", _RANGE, True),
    ("fetch_order_trades", "fetchOrderTrades", ("id", *_RANGE), True),
    ("fetch_my_trades", "fetchMyTrades", _RANGE, True),
    ("fetch_position", "fetchPosition", ("symbol",), True),
    ("fetch_positions", "fetchPositions", ("symbols",), True),
    ("fetch_leverage", "fetchLeverage", ("symbol",), True),
    ("fetch_trading_fee", "fetchTradingFee", ("symbol",), True),
    ("fetch_trading_fees", "fetchTradingFees", (), True),
    ("fetch_funding_history", "fetchFundingHistory", _RANGE, True),
)
# The keys of ccxt's ``params`` that may be given; everything else reaches the exchange unseen.
PARAMS = frozenset({"until", "clientOrderId"})
NEEDED = frozenset({"id"})
# What ccxt itself takes where these are not given.
DEFAULTS = {"timeframe": "1m"}


@dataclass(frozen=True, slots=True)
class Function:
    """A function on the list: what it takes, in order; ``is_private`` ones are signed."""

    name: str
    takes: tuple[str, ...]
    is_private: bool


FUNCTIONS: dict[str, Function] = {
    spelling: Function(name, takes, is_private)
    for name, camel, takes, is_private in _TABLE
    for spelling in (name, camel)
}


@dataclass(frozen=True, slots=True)
class Call:
    """A function with checked arguments."""

    function: Function
    arguments: tuple[Any, ...]


def allowed_call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    """The call that was asked for; raises NotFound ``function_not_found`` for a name that is not on
    the list, Invalid for arguments that the function does not take.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        raise NotFound("There is no such function.", code="function_not_found")
    given = named_arguments((*function.takes, "params"), args, kwargs)
    faults = {
        f"kwargs.{each}": "is required" for each in NEEDED & set(function.takes) - given.keys()
    }
    values: dict[str, Any] = {}
    for each, value in given.items():
        try:
            values[each] = _READERS[each](value)
        except ValueError as error:
            faults[f"kwargs.{each}"] = str(error)
    if faults:
        raise Invalid("The arguments are not acceptable.", fields=faults)
    return Call(
        function,
        (
            *(values.get(each, DEFAULTS.get(each)) for each in function.takes),
            values.get("params") or {},
        ),
    )


def named_arguments(
    names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments by name, those that are null left out; raises Invalid for too many, unknown or
    doubled ones.
    """
    faults = {f"kwargs.{each}": "is not an argument of this function" for each in kwargs}
    for each in names:
        faults.pop(f"kwargs.{each}", None)
    if len(args) > len(names):
        faults["args"] = f"at most {len(names)}"
    placed = dict(zip(names, args, strict=False))
    faults |= {f"kwargs.{each}": "is given twice" for each in placed.keys() & kwargs.keys()}
    if faults:
        raise Invalid("The arguments are not acceptable.", fields=dict(list(faults.items())[:20]))
    return {each: value for each, value in {**placed, **kwargs}.items() if value is not None}


def _text(longest: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
            raise ValueError(f"must be text of 1 to {longest} characters")
        return value

    return read


def _whole(most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise ValueError(f"must be a whole number up to {most}")
        return value

    return read


def _symbols(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_SYMBOLS:
        raise ValueError(f"must be a list of at most {MOST_SYMBOLS} symbols")
    return [_text(60)(each) for each in value]


def _params(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    unknown = sorted(set(value) - PARAMS)
    if unknown:
        raise ValueError(f"{unknown[0][:40]} may not be given")
    return {
        name: _whole(LATEST_MS)(each) if name == "until" else _text(64)(each)
        for name, each in value.items()
    }


_READERS: dict[str, Callable[[Any], Any]] = {
    "symbol": _text(60),
    "symbols": _symbols,
    "id": _text(100),
    "timeframe": _text(5),
    "since": _whole(LATEST_MS),
    "limit": _whole(MOST_ROWS),
    "params": _params,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function answered, as JSON values; ``notes`` stand beside it in the response."""

    result: Any
    notes: dict[str, Any] = field(default_factory=dict)


async def call_function(account: AccountRef, call: Call) -> Answer:
    """The answer, secrets masked; raises Invalid ``unknown_symbol``, VenueError: ``not_supported``
    for what a paper account has no exchange for.

    Candles of a timeframe that the exchange lacks are resampled, which the notes say.
    """
    hub, function = gateway(), call.function
    if function.is_private:
        client = await hub.client(account)
        if not isinstance(client, CcxtClient):
            raise VenueError(
                outcome=NOT_SENT, code="not_supported", message="the account has no exchange"
            )
        return Answer(_plain(await client.read(function.name, *call.arguments)))
    venue = resolve(account.venue, is_testnet=account.is_testnet)
    connection = await hub.connection(venue, account.market_type)
    query = _lacking(venue, call)
    if query is not None:
        series = await read_candles(connection, query)
        notes = {"resampled_from": series.resampled_from, "is_forming": series.is_forming}
        return Answer(series.rows, notes)
    method = getattr(await connection.public(), function.name)
    return Answer(_plain(await connection.call(method(*call.arguments))))


def _lacking(venue: Venue, call: Call) -> CandleQuery | None:
    """The candles asked for, where the exchange lacks their timeframe and they can be made."""
    if call.function.name != "fetch_ohlcv" or call.arguments[0] is None:
        return None
    symbol, timeframe, since, limit, params = call.arguments
    if support_at(venue.name, timeframe).resampled_from is None:
        return None
    until = params.get("until")
    return CandleQuery(symbol, timeframe, limit or USUAL_ROWS, since, until)


def _plain(answer: Any) -> Any:
    return redact_json(_json(answer))


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if value is None or isinstance(value, str | bool | int):
        return value
    return str(value)
