"""Candles that the rehearsal exchange lacks, made over HTTP of those it has."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError

import pytest

from common.clock import now_ms
from common.errors import Invalid
from exchanges import gateway
from exchanges.candles import CandleSeries, support_at
from exchanges.venues import resolve
from marketdata.services import candles
from tests.trading.rehearsal import Exchange, running_exchange

MINUTE = 60_000
SYMBOL = "BTC/USDT"


@pytest.fixture(scope="module")
def moving() -> Iterator[Exchange]:
    """A rehearsal exchange that replays real candles."""
    with running_exchange(price_mode="candles") as exchange:
        yield exchange


@pytest.fixture
def rehearsal(moving: Exchange, settings: Any) -> Iterator[Exchange]:
    """The exchange as the venue ``rehearsal``."""
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": moving.url}}
    gateway.shutdown()
    moving.call("DELETE", "/_fault")
    yield moving
    gateway.shutdown()


def told(timeframe: str, limit: int) -> CandleSeries:
    """The newest candles."""
    return candles(resolve("rehearsal"), SYMBOL, timeframe, limit)


def klines(exchange: Exchange, interval: str, start_ms: int, limit: int) -> list[list[Any]]:
    """What the exchange itself tells."""
    query = f"symbol=BTCUSDT&interval={interval}&startTime={start_ms}&limit={limit}"
    return list(exchange.call("GET", f"/api/v3/klines?{query}"))


def test_a_timeframe_the_exchange_lacks_is_made_of_its_candles(rehearsal: Exchange) -> None:
    with pytest.raises(HTTPError) as refused:
        klines(rehearsal, "10m", 0, 1)
    assert b"-1120" in refused.value.read()
    assert support_at("rehearsal", "10m").resampled_from == "5m"
    before = now_ms()
    series = told("10m", 600)
    newest = series.rows[-1][0]
    assert (series.resampled_from, series.is_forming) == ("5m", True)
    assert 0 <= before - newest < 10 * MINUTE + 60_000
    openings = [row[0] for row in series.rows]
    assert openings == list(range(newest - 599 * 10 * MINUTE, newest + 1, 10 * MINUTE))
    # In two calls by hand what the gateway read in two pages.
    own = klines(rehearsal, "5m", openings[0], 600) + klines(rehearsal, "5m", openings[300], 1000)
    by_opening = {row[0]: [Decimal(value) for value in row[1:6]] for row in own}
    for row in series.rows[:-1]:
        first, second = by_opening[row[0]], by_opening[row[0] + 5 * MINUTE]
        assert [Decimal(value) for value in row[1:]] == [
            first[0], max(first[1], second[1]), min(first[2], second[2]), second[3],
            first[4] + second[4],
        ]  # fmt: skip


def test_candles_made_are_those_the_exchange_would_tell(
    rehearsal: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = told("6h", 40)
    assert (own.resampled_from, own.is_forming) == (None, True)
    offered = ("1m", "1h", "4h", "1d")
    monkeypatch.setattr("exchanges.candles.offered_timeframes", lambda ccxt_id: offered)
    made = told("6h", 40)
    assert (made.resampled_from, made.is_forming, len(made.rows)) == ("1h", True, 40)
    for ours, theirs in zip(made.rows[:-1], own.rows[:-1], strict=True):
        assert ours[0] == theirs[0]
        assert [Decimal(each) for each in ours[1:5]] == [Decimal(each) for each in theirs[1:5]]
        assert Decimal(ours[5]) == pytest.approx(Decimal(theirs[5]), rel=Decimal("0.02"))


def test_what_cannot_be_told_is_refused_and_the_exchange_is_not_asked(rehearsal: Exchange) -> None:
    with pytest.raises(Invalid) as unsupported:
        told("9z", 5)
    assert unsupported.value.code == "unsupported_timeframe"
    with pytest.raises(Invalid) as unknown:
        candles(resolve("rehearsal"), "NO/COIN", "10m", 5)
    assert unknown.value.code == "unknown_symbol"
