"""Timeframes that venues lack: from what they are resampled, and that no candle made is untrue."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.models import Bot
from exchanges.candles import offered_timeframes, support_at
from exchanges.resampling import Candle, Misaligned, Resampled, resample
from exchanges.timeframes import DAY_MS, Timeframe, TimeframeSupport, support_of, timeframe_of

HOUR_MS = 3_600_000
MONDAY = 1_767_571_200_000  # 2026-01-05 00:00 UTC
LACKING_3D = ("bybit", "okx", "kraken", "coinbase", "mexc", "gate", "kucoin")
LACKING = {
    **{(venue, "3d"): "1d" for venue in LACKING_3D},
    ("kraken", "6h"): "1h",
    ("mexc", "6h"): "1h",
    ("gate", "6h"): "2h",
    ("coinbase", "4h"): "2h",
    ("coinbase", "1w"): "1d",
}
NATIVE = TimeframeSupport(is_native=True, resampled_from=None)


def known(name: str) -> Timeframe:
    """The timeframe of a name."""
    found = timeframe_of(name)
    assert found is not None
    return found


@pytest.mark.parametrize(("venue", "timeframe"), LACKING)
def test_what_a_venue_lacks_is_made_of_the_largest_that_fits(venue: str, timeframe: str) -> None:
    assert timeframe not in offered_timeframes(venue)
    assert support_at(venue, timeframe) == TimeframeSupport(False, LACKING[venue, timeframe])


@pytest.mark.parametrize("venue", [*LACKING_3D, "binance", "bitget", "hyperliquid", "htx"])
def test_every_timeframe_of_a_bot_can_be_told_at_every_known_venue(venue: str) -> None:
    for timeframe in Bot.Timeframe.values:
        support = support_at(venue, timeframe)
        assert support.is_native != (support.resampled_from is not None)
        assert support.is_native == (timeframe in offered_timeframes(venue))


@pytest.mark.parametrize("timeframe", ["1M", "1y", "9z", "", "0h", "5", "90m", "\u0663d", "10000d"])
def test_what_has_no_fixed_length_or_no_part_is_not_made(timeframe: str) -> None:
    assert support_of(timeframe, ("4h", "7d", "1h60")) == TimeframeSupport(False, None)


def test_a_venue_nobody_declares_any_more_tells_nothing() -> None:
    assert support_at("gone", "1h") == TimeframeSupport(False, None)


def test_own_longer_candles_are_no_parts_because_their_opening_is_the_venue_s_own() -> None:
    assert support_of("6d", ("3d", "2d", "12h")).resampled_from == "12h"
    assert support_of("3d", ("1d", "3d")) == NATIVE


def test_candles_open_on_utc() -> None:
    assert known("1w").opening(MONDAY + 6 * DAY_MS) == MONDAY
    assert known("1w").opening(MONDAY - 1) == MONDAY - 7 * DAY_MS
    assert known("6h").opening(MONDAY + 7 * HOUR_MS) == MONDAY + 6 * HOUR_MS
    assert known("3d").opening(4 * DAY_MS) == 3 * DAY_MS
    assert known("3d").next_opening(3 * DAY_MS) == 3 * DAY_MS
    assert known("3d").next_opening(3 * DAY_MS + 1) == 6 * DAY_MS


def hour(number: int, *prices: int, volume: int | None = 1) -> Candle:
    """The candle of an hour of 2026-01-05, by open, high, low and close."""
    numbers = [Decimal(price) for price in prices or (10, 10, 10, 10)]
    amount = None if volume is None else Decimal(volume)
    return Candle(MONDAY + number * HOUR_MS, *numbers, amount)


def six_hours(candles: list[Candle], *, hours: int = 24, read_to: int | None = None) -> Resampled:
    """Of candles of an hour, read when so many hours had passed."""
    now_ms = MONDAY + hours * HOUR_MS
    read_to_ms = now_ms + 1 if read_to is None else MONDAY + read_to * HOUR_MS
    return resample(candles, known("1h"), known("6h"), now_ms=now_ms, read_to_ms=read_to_ms)


def opened(found: Resampled) -> list[int]:
    """Which hours the candles open at."""
    return [(candle.at_ms - MONDAY) // HOUR_MS for candle in found.candles]


def test_one_candle_of_many() -> None:
    parts = [hour(0, 10, 30, 9, 20, volume=2), hour(1, 21, 22, 5, 6), hour(5, 7, 8, 6, 7, volume=4)]
    found = six_hours(parts)
    ten, thirty, five, seven = (Decimal(each) for each in (10, 30, 5, 7))
    assert found == Resampled([Candle(MONDAY, ten, thirty, five, seven, Decimal(7))], False)
    assert found.candles[0].row() == [MONDAY, "10", "30", "5", "7", "7"]


def test_a_first_candle_whose_beginning_may_be_cut_off_is_left_out() -> None:
    assert opened(six_hours([hour(n) for n in range(1, 12)], hours=12)) == [6]
    assert opened(six_hours([hour(n) for n in range(12)], hours=12)) == [0, 6]
    # The part before it shows that the missing ones in between are hours without a trade.
    assert opened(six_hours([hour(0), hour(8), hour(11)], hours=12)) == [0, 6]


def test_a_last_candle_is_forming_until_its_time_is_over_and_a_part_reaches_its_end() -> None:
    assert six_hours([hour(n) for n in range(3)], hours=3).is_forming
    assert six_hours([hour(n) for n in range(6)], hours=5).is_forming
    assert six_hours([hour(n) for n in range(5)], hours=7).is_forming
    assert not six_hours([hour(n) for n in range(6)], hours=6).is_forming
    assert not six_hours([hour(0), hour(7), hour(11)], hours=12).is_forming


def test_a_last_candle_that_the_reading_cut_through_is_left_out() -> None:
    found = six_hours([hour(n) for n in range(24)], read_to=10)
    assert (opened(found), found.is_forming) == ([0], False)
    found = six_hours([hour(n) for n in range(24)], read_to=12)
    assert (opened(found), found.is_forming) == ([0, 6], False)


def test_no_candle_is_made_up_where_there_was_no_trade() -> None:
    assert opened(six_hours([hour(0), hour(23)])) == [0, 18]
    assert six_hours([]) == Resampled((), False)
    assert six_hours([hour(3)]).candles == ()


def test_a_volume_that_is_not_told_is_not_made_up() -> None:
    found = six_hours([hour(0), hour(5, volume=None)])
    assert found.candles[0].volume is None
    assert found.candles[0].row()[5] is None


def test_candles_beside_the_clock_are_refused() -> None:
    late = Candle(MONDAY + 1, *[Decimal(1)] * 5)
    with pytest.raises(Misaligned):
        six_hours([hour(0), late])


NUMBERS = st.decimals(
    min_value=Decimal("1e-18"), max_value=Decimal("1e12"), allow_nan=False, places=18
)
PAIRS = st.sampled_from(
    [("1d", "3d"), ("1h", "6h"), ("2h", "6h"), ("2h", "4h"), ("1d", "1w"), ("1m", "7m")]
)


@st.composite
def readings(draw: st.DrawFn) -> tuple[Timeframe, Timeframe, list[Candle], int, int]:
    """Candles with gaps, in any order, of two timeframes; the present; to where they were read."""
    part, wanted = (known(name) for name in draw(PAIRS))
    places = draw(st.sets(st.integers(0, 40)))
    start = part.opening(MONDAY)
    candles = []
    for place in sorted(places):
        low, first, last, high = sorted(draw(st.tuples(*[NUMBERS] * 4)))
        volume = draw(NUMBERS)
        candles.append(Candle(start + place * part.length_ms, first, high, low, last, volume))
    now_ms = start + draw(st.integers(0, 45 * part.length_ms))
    told = [candle for candle in candles if candle.at_ms <= now_ms]
    read_to = min(now_ms + 1, start + draw(st.integers(0, 45)) * part.length_ms)
    return part, wanted, draw(st.permutations(told)), now_ms, read_to


@given(readings())
def test_every_candle_is_exactly_what_its_time_holds(
    reading: tuple[Timeframe, Timeframe, list[Candle], int, int],
) -> None:
    part, wanted, told, now_ms, read_to_ms = reading
    found = resample(told, part, wanted, now_ms=now_ms, read_to_ms=read_to_ms)
    openings = [candle.at_ms for candle in found.candles]
    assert openings == sorted(set(openings))
    for candle in found.candles:
        end_ms = candle.at_ms + wanted.length_ms
        of_it = sorted(
            (each for each in told if candle.at_ms <= each.at_ms < min(end_ms, read_to_ms)),
            key=lambda each: each.at_ms,
        )
        assert candle.at_ms == wanted.opening(of_it[0].at_ms)
        assert candle.open == of_it[0].open
        assert candle.close == of_it[-1].close
        assert candle.high == max(each.high for each in of_it)
        assert candle.low == min(each.low for each in of_it)
        assert candle.volume == sum(each.volume or Decimal(0) for each in of_it)
        is_last = candle is found.candles[-1]
        # One that is not the last, or not forming, was read to its end and is over.
        if not (is_last and found.is_forming):
            assert end_ms <= now_ms
            assert read_to_ms >= end_ms
        assert candle.at_ms == of_it[0].at_ms or any(
            each.at_ms < candle.at_ms for each in told if each.at_ms < read_to_ms
        )


@given(readings())
def test_nothing_but_the_cut_ends_is_left_out(
    reading: tuple[Timeframe, Timeframe, list[Candle], int, int],
) -> None:
    part, wanted, told, now_ms, read_to_ms = reading
    found = resample(told, part, wanted, now_ms=now_ms, read_to_ms=read_to_ms)
    read = [candle.at_ms for candle in told if candle.at_ms < read_to_ms]
    holding = sorted({wanted.opening(at_ms) for at_ms in read})
    if holding and holding[0] != min(read):
        holding.pop(0)
    if holding and read_to_ms < min(holding[-1] + wanted.length_ms, now_ms):
        holding.pop()
    assert [candle.at_ms for candle in found.candles] == holding
