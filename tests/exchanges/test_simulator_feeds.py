"""Prices of the simulator: candle replay, random walks, and the candles made of them."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from exchanges.matching import DEFAULT_MARKETS
from exchanges.simulator.candles import SAMPLE, Candle, CandleTable, cut_sample, read_candles
from exchanges.simulator.feeds import CandleFeed, build_feed
from tests.exchanges.simulator_harness import rehearsal
from tests.waiting import PATIENCE

MINUTE = 60_000


def candle(*prices: int, volume: int = 1000) -> Candle:
    return Candle(*(Decimal(price) for price in prices), volume=Decimal(volume))


UP, DOWN = candle(10, 14, 8, 12), candle(12, 13, 6, 7)


def test_a_rising_candle_visits_its_low_first_and_a_falling_one_its_high() -> None:
    feed = CandleFeed(CandleTable([UP, DOWN]), anchor_ms=0)
    assert feed.path(-1, 2 * MINUTE - 1) == [10, 8, 14, 12, 12, 13, 6, 7]


def test_the_table_runs_round_and_back_into_the_past() -> None:
    feed = CandleFeed(CandleTable([UP, DOWN]), anchor_ms=0)
    assert [feed.price(m * MINUTE) for m in (-2, -1, 0, 1, 2)] == [10, 12, 10, 12, 10]


def test_acceleration_packs_many_candles_into_one_minute() -> None:
    feed = CandleFeed(CandleTable([UP, DOWN]), anchor_ms=0, acceleration=2)
    row = feed.kline(0, MINUTE, 10 * MINUTE)
    assert (row.open, row.high, row.low, row.close) == (10, 14, 6, 7)
    assert (row.open_ms, row.close_ms, row.quote_volume) == (0, MINUTE - 1, 2000)


def test_a_running_candle_ends_at_the_price_of_now() -> None:
    feed = CandleFeed(CandleTable([UP, DOWN]), anchor_ms=0)
    row = feed.kline(0, 2 * MINUTE, MINUTE + 15_000)
    assert (row.open, row.close) == (10, 13)


def test_adding_up_over_many_turns_equals_adding_one_by_one() -> None:
    table = CandleTable([candle(i, i + 5, i - 5, i + 1) for i in range(10, 310)])
    for first, last in ((0, 0), (3, 299), (250, 420), (-7, 1300), (0, 299), (128, 255)):
        part = [table.at(i) for i in range(first, last + 1)]
        assert table.merged(first, last) == Candle(
            part[0].open,
            max(c.high for c in part),
            min(c.low for c in part),
            part[-1].close,
            sum((c.volume for c in part), Decimal(0)),
        )


def test_a_walk_repeats_with_its_seed_and_joins_its_ends() -> None:
    def walk(seed: int) -> list[Decimal]:
        feed = build_feed(
            DEFAULT_MARKETS[1], mode="walk", candles=SAMPLE, seed=seed, anchor_ms=0, acceleration=1
        )
        return feed.path(0, 300 * MINUTE)

    assert walk(1) == walk(1) != walk(2)
    prices = walk(1)
    assert all(price % Decimal("0.01") == 0 for price in prices)
    assert max(abs(b / a - 1) for a, b in zip(prices, prices[1:], strict=False)) < Decimal("0.01")


def test_the_shipped_sample_is_read_and_small() -> None:
    table = read_candles(SAMPLE, Decimal("0.01"))
    assert len(table) == 3000
    assert (table.at(0).open, table.at(0).close) == (46319, 46377)
    assert SAMPLE.stat().st_size < 300_000


def test_a_sample_is_cut_from_the_front(tmp_path: Path) -> None:
    source = tmp_path / "whole.csv"
    rows = "".join(f"2022-01-01 00:0{i}:00.000000,1.50,2.0,1.0,1.5,10.10\n" for i in range(5))
    source.write_text("timestamp,open,high,low,close,volume\n" + rows)
    target = tmp_path / "sample.csv"
    assert cut_sample(source, target, rows=2) == 2
    assert target.read_text().splitlines()[1:] == [
        "2022-01-01 00:00:00,1.5,2,1,1.5,10.1",
        "2022-01-01 00:01:00,1.5,2,1,1.5,10.1",
    ]


def test_a_line_that_is_no_candle_is_named(tmp_path: Path) -> None:
    source = tmp_path / "bad.csv"
    source.write_text("timestamp,open,high,low,close,volume\n2022-01-01 00:00:00,1,2,1,x,1\n")
    with pytest.raises(ValueError, match=r"bad\.csv line 2"):
        read_candles(source, Decimal("0.01"))


async def test_charts_have_history_that_ends_at_the_price_of_now() -> None:
    async with rehearsal(price_mode="candles", acceleration=60) as venue:
        client = venue.client()
        rows = await client.fetch_ohlcv("BTC/USDT", "1m", None, 100)
        assert len(rows) == 100
        assert {b[0] - a[0] for a, b in zip(rows, rows[1:], strict=False)} == {MINUTE}
        assert all(row[3] <= min(row[1], row[4]) <= max(row[1], row[4]) <= row[2] for row in rows)
        part = await client.fetch_ohlcv("BTC/USDT", "1m", rows[10][0], 5)
        assert part == rows[10:15]


async def test_a_moving_price_fills_a_resting_order_when_it_comes_by() -> None:
    async with rehearsal(price_mode="walk", acceleration=60_000, tick_ms=20) as venue:
        client = venue.client()
        feed = venue.server.engine.feeds["SOL/USDT"]
        assert isinstance(feed, CandleFeed)
        lowest = float(feed.table.merged(0, len(feed.table) - 1).low)
        order = await client.create_order("SOL/USDT", "limit", "buy", 1, lowest)
        async with asyncio.timeout(PATIENCE):
            while order["status"] != "closed":
                await asyncio.sleep(0.05)
                order = await client.fetch_order(order["id"], "SOL/USDT")
        assert order["average"] == lowest
