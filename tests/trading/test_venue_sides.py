"""How an order is marked at its venue: the reduce-only trap and the sides, as a table."""

from decimal import Decimal

import pytest

from trading.venue_sides import Holding, VenueLeg, exposure, venue_leg

LONG_3, SHORT_1 = Holding(Decimal(3), venue_side="long"), Holding(Decimal(-1), venue_side="short")
STRANGER_3 = Holding(Decimal(-3), allocated=False)
MARKED, BARE = VenueLeg("", True), VenueLeg("", False)


def marks(
    holdings: list[Holding], side: str, quantity: str, mode: str, *, per_side: bool, leaving: str
) -> VenueLeg:
    """The marks of a close."""
    return venue_leg(
        market_type="swap", venue_mode=mode, side=side, reduce_only=True,
        quantity=Decimal(quantity),
        exposure=exposure(
            holdings, side=side, is_per_side=per_side, leaving=Decimal(leaving)
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("holdings", "side", "quantity", "leaving", "expected"),
    [
        ([LONG_3], "sell", "3", "0", MARKED),
        ([LONG_3], "sell", "1", "0", MARKED),
        # net 2 there: the venue would do 2 of 3
        ([LONG_3, SHORT_1], "sell", "3", "0", BARE),
        ([LONG_3, SHORT_1], "sell", "2", "0", MARKED),
        # net 2 long there: it would refuse a buy that only reduces
        ([LONG_3, SHORT_1], "buy", "1", "0", BARE),
        # net 0 there
        ([Holding(Decimal(1)), SHORT_1], "sell", "1", "0", BARE),
        # another live order takes 2 of the net 3 first; nothing of ours hides it
        ([LONG_3], "sell", "3", "2", MARKED),
        ([LONG_3, SHORT_1], "sell", "1", "1", MARKED),
        ([LONG_3, SHORT_1], "sell", "2", "1", BARE),
        # a stranger closed it there: unmarked, the close would open a short
        ([LONG_3, STRANGER_3], "sell", "3", "0", MARKED),
        ([LONG_3, STRANGER_3, SHORT_1], "sell", "3", "0", MARKED),
    ],
)
def test_a_close_is_marked_unless_our_own_opposite_positions_hide_it(
    holdings: list[Holding], side: str, quantity: str, leaving: str, expected: VenueLeg
) -> None:
    told = marks(holdings, side, quantity, "one_way", per_side=False, leaving=leaving)
    assert told == expected


@pytest.mark.parametrize(
    ("holdings", "side", "quantity", "expected"),
    [
        ([LONG_3, SHORT_1], "sell", "3", VenueLeg("long", True)),
        ([LONG_3, SHORT_1], "buy", "1", VenueLeg("short", True)),
        ([LONG_3, STRANGER_3], "sell", "3", VenueLeg("long", True)),
    ],
)
def test_at_a_venue_that_keeps_sides_apart_a_close_names_its_own(
    holdings: list[Holding], side: str, quantity: str, expected: VenueLeg
) -> None:
    for per_side in (True, False):
        told = marks(holdings, side, quantity, "hedge", per_side=per_side, leaving="0")
        assert told.position_side == expected.position_side
    assert marks(holdings, side, quantity, "hedge", per_side=True, leaving="0") == expected


@pytest.mark.parametrize(
    ("market_type", "mode", "side", "expected"),
    [
        ("spot", "", "buy", VenueLeg()),
        ("swap", "one_way", "buy", VenueLeg()),
        ("swap", "one_way", "sell", VenueLeg()),
        ("swap", "hedge", "buy", VenueLeg("long")),
        ("swap", "hedge", "sell", VenueLeg("short")),
    ],
)
def test_an_entry_names_the_side_it_opens_where_there_are_sides(
    market_type: str, mode: str, side: str, expected: VenueLeg
) -> None:
    none = exposure([LONG_3], side=side, is_per_side=False, leaving=Decimal(0))
    told = venue_leg(
        market_type=market_type, venue_mode=mode, side=side, reduce_only=False,
        quantity=Decimal(1), exposure=none,
    )  # fmt: skip
    assert told == expected


def test_a_spot_close_carries_no_mark() -> None:
    told = venue_leg(
        market_type="spot", venue_mode="", side="sell", reduce_only=True, quantity=Decimal(1),
        exposure=exposure([LONG_3], side="sell", is_per_side=False, leaving=Decimal(0)),
    )  # fmt: skip
    assert told == VenueLeg()
