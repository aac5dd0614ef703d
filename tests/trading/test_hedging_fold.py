"""The fold of a hedging account in exact fractions: any sequence of fills conserves quantity, fees
and money, whatever positions they name.
"""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from common.money import EXACT
from trading.positions import Fill, Holding, apply_fill, divide, portion

TENTHS = st.integers(1, 50).map(lambda number: Decimal(number) / 10)
# Side of the order, the index of the position it names (None: its own), quantity, price.
MOVES = st.tuples(
    st.sampled_from(["buy", "sell"]), st.none() | st.integers(0, 5), TENTHS, st.integers(90, 110)
)


def close_enough(mine: Fraction, exact: Fraction) -> bool:
    """Within what rounding to 18 places may cost over a few dozen steps."""
    return abs(mine - exact) < Fraction(1, 10**14)


def parted(fill: Fill, room: Decimal) -> tuple[Fill, Decimal]:
    """The part of a fill that a position takes, and what is left."""
    (taken,), left = divide(fill.net_quantity, [room])
    fee = portion(fill.fee, taken, fill.net_quantity)
    return replace(fill, net_quantity=taken, fee=fee), left


@settings(max_examples=200, deadline=None)
@given(st.lists(MOVES, max_size=30))
def test_positions_of_both_sides_sum_to_the_venues_net_and_conserve_money(
    moves: list[tuple[str, int | None, Decimal, int]],
) -> None:
    held: list[Holding] = []
    net = cash = Fraction(0)
    for side, named, quantity, price in moves:
        fill = Fill(side, quantity, Decimal(price), fee=quantity / 100)
        sign = 1 if side == "buy" else -1
        if named is not None and named < len(held) and held[named].quantity > 0:
            target = held[named]
            room = quantity if target.side == side else target.quantity
            inside, left = parted(fill, room)
            step = apply_fill(target, inside)
            held[named] = step.closed or step.current or target
            assert held[named].side == target.side
            fill = replace(fill, net_quantity=left, fee=EXACT.subtract(fill.fee, inside.fee))
        if fill.net_quantity > 0:
            opened = apply_fill(None, fill).current
            assert opened is not None
            held.append(opened)
        net += sign * Fraction(quantity)
        cash -= sign * Fraction(quantity) * price
    assert sum((_signed(each) for each in held), Fraction(0)) == net
    mark = Fraction(101)
    equity = sum(
        (
            Fraction(each.realised) + _signed(each) * (mark - Fraction(each.average))
            for each in held
        ),
        Fraction(0),
    )
    assert close_enough(equity, cash + mark * net)
    fees = sum((Fraction(each.fees) for each in held), Fraction(0))
    assert fees == sum((Fraction(quantity) / 100 for _, _, quantity, _ in moves), Fraction(0))
    for each in held:
        assert (each.quantity == 0) == (each.average == 0)
        assert sum((share.quantity for share in each.shares), Decimal(0)) == each.quantity


@given(TENTHS, st.lists(TENTHS, max_size=6))
def test_pouring_into_rooms_loses_nothing_and_overfills_none(
    quantity: Decimal, rooms: list[Decimal]
) -> None:
    taken, left = divide(quantity, rooms)
    assert sum(taken, Decimal(0)) + left == quantity
    assert all(0 <= took <= room for took, room in zip(taken, rooms, strict=True))
    assert left == 0 or taken == rooms


def _signed(holding: Holding) -> Fraction:
    return Fraction(holding.quantity) * (1 if holding.side == "buy" else -1)
