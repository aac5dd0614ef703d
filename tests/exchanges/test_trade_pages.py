"""No own trade between two moments is skipped, whatever the venue's way of paging."""

from dataclasses import dataclass, field, replace
from typing import Any

import ccxt.async_support as ccxt
import pytest

from exchanges.outcomes import VenueError
from exchanges.quirks import Quirks, quirks_of
from exchanges.trade_pages import TradeWalk, can_name_end

HOUR = 3_600_000
NOW = 1_700_000_000_000


@dataclass
class Venue:
    """Trades and the way a venue tells them; answers are cut by start and sorted, as by ccxt."""

    times: list[int]
    page: int = 10
    newest_first: bool = False
    heeds_end: bool = True
    asked: list[tuple[int | None, int | None]] = field(default_factory=list)

    async def fetch(self, since: int | None, until: int | None) -> list[dict[str, Any]]:
        self.asked.append((since, until))
        rows = [
            {"id": str(number), "timestamp": at}
            for number, at in enumerate(self.times)
            if at >= (since or 0) and (until is None or not self.heeds_end or at <= until)
        ]
        newest = self.newest_first or since is None
        return rows[-self.page :] if newest else rows[: self.page]


async def walked(
    venue: Venue, since: int | None, quirks: Quirks, *, can_end: bool = True
) -> list[int]:
    """The times of the trades found, each trade once, oldest first."""
    rows = await TradeWalk(venue.fetch, quirks, can_end).rows(since, NOW)
    return sorted({row["id"]: row["timestamp"] for row in rows}.values())


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("window", [None, 7 * HOUR])
async def test_all_trades_are_found_whichever_end_a_page_begins_at(
    newest_first: bool, window: int | None
) -> None:
    times = [NOW - 48 * HOUR + number * 97_001 for number in range(1500)]
    venue = Venue(times, newest_first=newest_first)
    quirks = Quirks(trade_page=10, trade_window_ms=window)
    assert await walked(venue, NOW - 47 * HOUR, quirks) == [
        at for at in times if NOW - 47 * HOUR <= at <= NOW
    ]


async def test_times_in_whole_seconds_lose_no_trade_at_a_seam() -> None:
    times = [NOW - HOUR + number * 333 for number in range(600)]

    class Coarse(Venue):
        async def fetch(self, since: int | None, until: int | None) -> list[dict[str, Any]]:
            assert since is not None
            assert until is not None
            return await super().fetch(since // 1000 * 1000, until // 1000 * 1000)

    quirks = Quirks(trade_page=10, trade_resolution_ms=1000)
    found = await walked(Coarse(times, newest_first=True), NOW - HOUR, quirks)
    assert found == [at for at in times if at <= NOW + 1000]


async def test_an_idle_symbol_of_a_venue_that_tells_the_newest_costs_one_request() -> None:
    venue = Venue([])
    quirks = replace(quirks_of("binance"), trade_page=10)
    assert await walked(venue, NOW - 60 * 24 * HOUR, quirks) == []
    assert venue.asked == [(None, None)]


async def test_a_newest_page_that_reaches_back_far_enough_is_enough() -> None:
    venue = Venue([NOW - number * HOUR for number in range(40, 0, -1)])
    quirks = Quirks(trade_page=10, newest_trades=True)
    assert len(await walked(venue, NOW - 5 * HOUR, quirks)) == 10
    assert len(venue.asked) == 1
    assert len(await walked(venue, NOW - 30 * HOUR, quirks)) >= 30


async def overflowed(venue: Venue, quirks: Quirks, *, can_end: bool = True) -> str:
    """The code of the refusal to guess."""
    with pytest.raises(VenueError) as caught:
        await walked(venue, NOW - HOUR, quirks, can_end=can_end)
    return caught.value.code


async def test_a_full_page_of_a_venue_whose_queries_have_no_end_is_an_error() -> None:
    venue = Venue([NOW - 1000 + number for number in range(20)])
    assert await overflowed(venue, Quirks(trade_page=10), can_end=False) == "trade_page_overflow"
    assert len(venue.asked) == 1


async def test_a_venue_that_heeds_no_end_is_not_asked_for_ever() -> None:
    venue = Venue([NOW - 1000 + number for number in range(20)], heeds_end=False)
    assert await overflowed(venue, Quirks(trade_page=10)) == "trade_page_overflow"
    assert len(venue.asked) <= 3


async def test_more_trades_in_one_instant_than_a_page_holds_are_an_error() -> None:
    venue = Venue([NOW - 1000] * 20)
    assert await overflowed(venue, Quirks(trade_page=10)) == "trade_page_overflow"
    assert len(venue.asked) < 50


@pytest.mark.parametrize(
    ("ccxt_id", "expected"),
    [(name, True) for name in ("binance", "bybit", "okx", "kraken", "kucoin", "bitget", "gate")]
    + [("coinbase", True), ("hyperliquid", True), ("upbit", False)],
)
def test_which_venues_let_a_query_end_is_known(ccxt_id: str, expected: bool) -> None:
    exchange = getattr(ccxt, ccxt_id)()
    assert can_name_end(exchange, quirks_of(ccxt_id), "spot") is expected
