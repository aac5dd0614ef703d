"""Candles of a venue: its own where it has the timeframe, else resampled from shorter ones.

A venue tells only so many candles a call; longer spans are read page by page, each from where the
one before ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import ccxt.async_support as ccxt_async

from common.clock import now_ms
from common.errors import Invalid
from common.money import ZERO

from .connection import VenueConnection
from .outcomes import NOT_SENT, VenueError
from .resampling import Candle, Misaligned, Row, resample
from .timeframes import Timeframe, TimeframeSupport, parts_of, support_of, timeframe_of
from .venues import resolve

# What one question may cost: candles that are read of the venue, whatever they are resampled to.
MOST_ROWS = 5000
# Candles a call, of a venue of which ccxt does not know, and of any venue.
USUAL_PAGE, LARGEST_PAGE = 200, 1000


@dataclass(frozen=True, slots=True)
class CandleSeries:
    """Candles as rows, oldest first; ``resampled_from`` is None where they are the venue's own.

    ``is_forming`` says that the last may still change: its time is not over, or nothing shows yet
    that it was read to its end.
    """

    rows: list[Row]
    resampled_from: str | None = None
    is_forming: bool = False


@dataclass(frozen=True, slots=True)
class CandleQuery:
    """At most ``limit`` candles: from ``since_ms`` on, else the newest; none that opens after
    ``until_ms``.
    """

    symbol: str
    timeframe: str
    limit: int
    since_ms: int | None = None
    until_ms: int | None = None


@cache
def offered_timeframes(ccxt_id: str) -> tuple[str, ...]:
    """The timeframes that ccxt's class of an exchange names; nothing is asked of the exchange."""
    return tuple(getattr(ccxt_async, ccxt_id)().timeframes or ())


def support_at(venue_name: str, timeframe: str) -> TimeframeSupport:
    """How the venue of a name tells candles of a timeframe; nothing is asked of it. A venue that
    nobody declares any more tells none.
    """
    try:
        venue = resolve(venue_name)
    except Invalid:
        return support_of(timeframe, ())
    return support_of(timeframe, offered_timeframes(venue.ccxt_id))


async def read_candles(connection: VenueConnection, query: CandleQuery) -> CandleSeries:
    """The candles asked for; raises Invalid ``unknown_symbol`` and ``unsupported_timeframe``,
    VenueError.

    Resampled ones come from the largest timeframe whose candles open where UTC says, and are fewer
    than asked for where they would take more than MOST_ROWS.
    """
    await connection.rules(query.symbol)
    offered = offered_timeframes(connection.venue.ccxt_id)
    if query.timeframe in offered:
        return await _own_candles(connection, query)
    wanted = timeframe_of(query.timeframe)
    pairs = [] if wanted is None else [(part, wanted) for part in parts_of(wanted, offered)]
    for part, whole in pairs:
        try:
            return await _resampled(connection, query, part, whole)
        except Misaligned:  # a venue whose day begins elsewhere, by its own clock
            continue
    raise Invalid(
        f"{connection.venue.name} has no candles of {query.timeframe[:5]}.",
        code="unsupported_timeframe",
        fields={"timeframe": "neither told by the venue nor made of what it tells"},
    )


async def _own_candles(connection: VenueConnection, query: CandleQuery) -> CandleSeries:
    exchange = await connection.public()
    timeframe = timeframe_of(query.timeframe)
    venue_ms = now_ms() - connection.clock_offset_ms
    if timeframe is None or query.limit <= _page_size(exchange, query.symbol):
        fetch = exchange.fetch_ohlcv(query.symbol, query.timeframe, query.since_ms, query.limit)
        found = await connection.call(fetch)
    else:
        first, last = _openings(query, timeframe, venue_ms, query.limit)
        end_ms = last + timeframe.length_ms
        found, _ = await _pages(connection, query.symbol, timeframe, first, end_ms)
    rows = [_told(row) for row in found if None not in row[:5]]
    is_forming = bool(timeframe and rows and rows[-1][0] + timeframe.length_ms > venue_ms)
    return CandleSeries(rows, is_forming=is_forming)


async def _resampled(
    connection: VenueConnection, query: CandleQuery, part: Timeframe, wanted: Timeframe
) -> CandleSeries:
    venue_ms = now_ms() - connection.clock_offset_ms
    # One more is read on either side: it shows that those asked for were not cut off.
    most = max(1, MOST_ROWS * part.length_ms // wanted.length_ms - 2)
    first, last = _openings(query, wanted, venue_ms, min(query.limit, most))
    start_ms, end_ms = first - wanted.length_ms, last + 2 * wanted.length_ms
    found, read_to_ms = await _pages(
        connection, query.symbol, part, start_ms, min(end_ms, venue_ms + 1)
    )
    series = resample(map(_candle, found), part, wanted, now_ms=venue_ms, read_to_ms=read_to_ms)
    asked = [candle for candle in series.candles if first <= candle.at_ms <= last]
    return CandleSeries(
        [candle.row() for candle in asked],
        resampled_from=part.name,
        is_forming=bool(asked) and asked[-1] is series.candles[-1] and series.is_forming,
    )


def _openings(
    query: CandleQuery, timeframe: Timeframe, venue_ms: int, limit: int
) -> tuple[int, int]:
    """When the first and the last candle asked for open."""
    until_ms = venue_ms if query.until_ms is None else query.until_ms
    newest = timeframe.opening(min(venue_ms, until_ms))
    span = (limit - 1) * timeframe.length_ms
    if query.since_ms is None:
        return newest - span, newest
    first = timeframe.next_opening(query.since_ms)
    return first, min(newest, first + span)


async def _pages(
    connection: VenueConnection,
    symbol: str,
    timeframe: Timeframe,
    start_ms: int,
    end_ms: int,
) -> tuple[list[Any], int]:
    """What the venue tells of the candles that open from ``start_ms`` to before ``end_ms``, and to
    which moment it was read; that is ``end_ms``, but for a venue with ever shorter pages.
    """
    exchange = await connection.public()
    size = _page_size(exchange, symbol)
    rows: dict[int, Any] = {}
    cursor = max(0, timeframe.next_opening(start_ms))
    calls = 2 + 2 * -(-(end_ms - cursor) // (timeframe.length_ms * size))
    while cursor < end_ms and calls > 0:
        calls -= 1
        limit = min(size, -(-(end_ms - cursor) // timeframe.length_ms))
        page = await connection.call(
            exchange.fetch_ohlcv(symbol, timeframe.name, cursor, max(limit, 1))
        )
        found = {int(row[0]): row for row in page if cursor <= int(row[0]) < end_ms}
        rows.update(found)
        # A page without any is a span without trades.
        cursor = max(found, default=cursor + (limit - 1) * timeframe.length_ms)
        cursor = timeframe.next_opening(cursor + 1)
    return [rows[at_ms] for at_ms in sorted(rows)], min(cursor, end_ms)


def _page_size(exchange: Any, symbol: str) -> int:
    told = exchange.feature_value(symbol, "fetchOHLCV", "limit", USUAL_PAGE)
    return min(int(told or USUAL_PAGE), LARGEST_PAGE)


def _told(row: Sequence[Any]) -> Row:
    return [int(row[0]), *(None if value is None else str(value) for value in row[1:6])]


def _candle(row: Sequence[Any]) -> Candle:
    """A row of ccxt's as exact numbers; raises VenueError ``unclear_answer``."""
    try:
        opened, high, low, close = (Decimal(str(value)) for value in row[1:5])
        volume = None if row[5] is None else Decimal(str(row[5]))
    except (InvalidOperation, IndexError) as error:
        raise _unclear() from error
    if not all(each.is_finite() for each in (opened, high, low, close, volume or ZERO)):
        raise _unclear()
    return Candle(int(row[0]), opened, high, low, close, volume)


def _unclear() -> VenueError:
    return VenueError(
        outcome=NOT_SENT, code="incomplete_candle", message="a candle without its prices"
    )
