"""Reading candles page by page: of venues that tell few at once, keep few, or have odd days."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from common.errors import Invalid
from exchanges import candles as module
from exchanges.candles import CandleQuery, CandleSeries, read_candles
from exchanges.outcomes import UNKNOWN, VenueError
from exchanges.timeframes import timeframe_of
from exchanges.venues import resolve

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 1_767_571_200_000 + 13 * HOUR + 60_000  # 2026-01-05 13:01 UTC


class FakeExchange:
    """Tells candles that are a function of their time, as the venue's limits allow."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int | None, int]] = []
        self.page = 100
        self.told_page = 100
        self.keeps_from = 0
        self.without: Callable[[int], bool] = lambda at_ms: False
        self.shift = {"1d": 0}
        self.missing_price = False
        self.fails_at = 0

    def feature_value(self, symbol: str, method: str, name: str, default: int) -> int:
        assert (symbol, method, name) == ("BTC/USDT", "fetchOHLCV", "limit")
        return self.told_page

    async def fetch_ohlcv(
        self, symbol: str, timeframe: str, since: int | None, limit: int
    ) -> list[list[Any]]:
        self.calls.append((timeframe, since, limit))
        found = timeframe_of(timeframe)
        assert found is not None
        assert limit <= self.told_page
        if len(self.calls) == self.fails_at:
            raise VenueError(outcome=UNKNOWN, code="timeout", message="no answer")
        length, shift = found.length_ms, self.shift.get(timeframe, 0)
        count = min(limit, self.page)
        newest = NOW - (NOW - shift) % length
        first = newest - (count - 1) * length if since is None else since + shift
        span = range(first, min(newest, first + (count - 1) * length) + 1, length)
        return [self.row(at) for at in span if at >= self.keeps_from and not self.without(at)]

    def row(self, at_ms: int) -> list[Any]:
        """Opens at its hour of all time, closes a half above; the volume is 0.1."""
        at = at_ms // HOUR
        price = None if self.missing_price else f"{at}"
        return [at_ms, price, f"{at}.9", f"{at - 1}", f"{at}.5", "0.1"]


class FakeConnection:
    """The part of a connection that is used."""

    def __init__(self, venue: str, exchange: FakeExchange) -> None:
        self.venue, self.exchange, self.clock_offset_ms = resolve(venue), exchange, 0

    async def rules(self, symbol: str) -> None:
        if symbol != "BTC/USDT":
            raise Invalid("unknown", code="unknown_symbol")

    async def public(self) -> FakeExchange:
        return self.exchange

    async def call(self, coroutine: Any) -> Any:
        return await coroutine


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> FakeExchange:
    monkeypatch.setattr(module, "now_ms", lambda: NOW)
    return FakeExchange()


def read(exchange: FakeExchange, timeframe: str, limit: int, **more: Any) -> CandleSeries:
    """What is read of kraken, which has 1m, 5m, 15m, 30m, 1h, 4h and 1d."""
    connection: Any = FakeConnection("kraken", exchange)
    query = CandleQuery("BTC/USDT", timeframe, limit, **more)
    return asyncio.run(read_candles(connection, query))


def whole(at_ms: int, hours: int, parts: int) -> list[Any]:
    """The row of a candle without gaps made of so many parts."""
    at, last = at_ms // HOUR, at_ms // HOUR + hours - hours // parts
    return [at_ms, f"{at}", f"{last}.9", f"{at - 1}", f"{last}.5", f"{Decimal(parts) / 10:f}"]


def test_a_candle_the_venue_lacks_is_made_of_pages_and_the_last_is_forming(
    exchange: FakeExchange,
) -> None:
    series = read(exchange, "6h", 50)
    newest = NOW - NOW % (6 * HOUR)
    assert (series.resampled_from, series.is_forming, len(series.rows)) == ("1h", True, 50)
    for number, row in enumerate(series.rows[:-1]):
        assert row == whole(newest - (49 - number) * 6 * HOUR, 6, 6)
    at = newest // HOUR
    assert series.rows[-1] == [
        newest, f"{at}", f"{at + 1}.9", f"{at - 1}", f"{at + 1}.5", "0.2",
    ]  # fmt: skip
    # 50 candles of 6 hours, one more before them: 308 hours in pages of 100.
    assert [limit for _, _, limit in exchange.calls] == [100, 100, 100, 2]
    assert exchange.calls[0][1] == newest - 50 * 6 * HOUR


def test_since_and_until_bound_what_is_told(exchange: FakeExchange) -> None:
    first = NOW - NOW % (3 * DAY) - 30 * DAY
    series = read(exchange, "3d", 4, since_ms=first - 1)
    assert series.rows == [whole(first + n * 3 * DAY, 72, 3) for n in range(4)]
    assert not series.is_forming
    series = read(exchange, "3d", 4, since_ms=first + 1, until_ms=first + 8 * DAY)
    assert [row[0] for row in series.rows] == [first + 3 * DAY, first + 6 * DAY]
    series = read(exchange, "3d", 2, until_ms=first)
    assert [row[0] for row in series.rows] == [first - 3 * DAY, first]
    assert read(exchange, "3d", 5, since_ms=NOW + 9 * DAY).rows == []


def test_a_venue_that_tells_fewer_than_promised_is_asked_more_often(
    exchange: FakeExchange,
) -> None:
    exchange.page = 60
    series = read(exchange, "6h", 50)
    assert [row[0] % (6 * HOUR) for row in series.rows] == [0] * 50
    assert len(exchange.calls) == 6
    exchange.page, exchange.calls = 1, []
    # So few that the reading ends early: nothing half read is told.
    assert [row for row in read(exchange, "6h", 50).rows if row != whole(row[0], 6, 6)] == []
    assert len(exchange.calls) == 10


def test_a_venue_that_keeps_only_the_newest_tells_no_candle_that_was_cut_off(
    exchange: FakeExchange,
) -> None:
    newest = NOW - NOW % (6 * HOUR)
    exchange.keeps_from = newest - 3 * 6 * HOUR + HOUR
    series = read(exchange, "6h", 50)
    assert [row[0] for row in series.rows] == [newest - 2 * 6 * HOUR, newest - 6 * HOUR, newest]
    assert series.rows[0] == whole(newest - 2 * 6 * HOUR, 6, 6)


def test_hours_without_trades_are_not_made_up(exchange: FakeExchange) -> None:
    newest = NOW - NOW % (6 * HOUR)
    quiet_from, quiet_to = newest - 40 * 6 * HOUR, newest - 10 * 6 * HOUR
    exchange.without = lambda at_ms: quiet_from <= at_ms < quiet_to
    series = read(exchange, "6h", 50)
    openings = [row[0] for row in series.rows]
    assert len(openings) == 20
    assert not [at_ms for at_ms in openings if quiet_from <= at_ms < quiet_to]
    assert series.rows[8] == whole(quiet_from - 6 * HOUR, 6, 6)
    assert series.rows[9] == whole(quiet_to, 6, 6)


def test_a_venue_whose_day_begins_elsewhere_is_read_by_shorter_candles(
    exchange: FakeExchange,
) -> None:
    exchange.shift = {"1d": 16 * HOUR}
    series = read(exchange, "3d", 3)
    assert series.resampled_from == "4h"
    newest = NOW - NOW % (3 * DAY)
    assert series.rows[0] == whole(newest - 6 * DAY, 72, 18)


def test_what_one_question_costs_has_a_bound(exchange: FakeExchange) -> None:
    exchange.told_page = exchange.page = 5000
    series = read(exchange, "6h", 1000)
    assert len(series.rows) == module.MOST_ROWS // 6 - 2
    assert sum(limit for _, _, limit in exchange.calls) <= module.MOST_ROWS
    assert max(limit for _, _, limit in exchange.calls) == module.LARGEST_PAGE


def test_own_candles_are_told_as_they_are_and_in_pages_too(exchange: FakeExchange) -> None:
    series = read(exchange, "4h", 100)
    assert exchange.calls == [("4h", None, 100)]
    assert (len(series.rows), series.resampled_from, series.is_forming) == (100, None, True)
    assert series.rows[-1] == exchange.row(NOW - NOW % (4 * HOUR))
    more = read(exchange, "4h", 250)
    assert more.rows[-100:] == series.rows
    assert len(more.rows) == 250


def test_what_cannot_be_made_is_refused(exchange: FakeExchange) -> None:
    for timeframe in ("7s", "1M", "9z"):
        with pytest.raises(Invalid) as error:
            read(exchange, timeframe, 5)
        assert error.value.code == "unsupported_timeframe"
    assert exchange.calls == []
    exchange.missing_price = True
    with pytest.raises(VenueError) as unclear:
        read(exchange, "3d", 5)
    assert unclear.value.code == "incomplete_candle"
    assert read(exchange, "1d", 5) == CandleSeries([])


def test_the_venue_s_clock_says_what_is_forming(exchange: FakeExchange) -> None:
    connection: Any = FakeConnection("kraken", exchange)
    connection.clock_offset_ms = 2 * 60_000  # ours is ahead: there it is 12:59
    series = asyncio.run(read_candles(connection, CandleQuery("BTC/USDT", "6h", 2)))
    at = (NOW - NOW % (6 * HOUR)) // HOUR
    assert series.rows[-1][4:] == [f"{at}.5", "0.1"]


def test_a_venue_that_fails_in_the_middle_tells_nothing_by_halves(exchange: FakeExchange) -> None:
    exchange.fails_at = 2
    with pytest.raises(VenueError):
        read(exchange, "6h", 50)
