"""The fold from fills to positions. Pure: a holding and a fill in, holdings out.

In a netting account a larger opposite fill turns the position round. In a hedging account a
position never turns: :func:`divide` cuts off beforehand what it cannot take.

Quantities are net of fees taken in the base coin. Fees stand beside the result, never inside the
price. Inside a holding, lots keep each owner's share: they have the holding's sign and add up to
its quantity. An exit takes from its owner's lot first and, if that is not enough, from the others
in the order of their numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from common.money import EXACT, ZERO, divided, multiplied, rounded

BUY, SELL = "buy", "sell"
IN, OUT, REVERSAL = "in", "out", "inout"


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: ``net_quantity`` in base units as it reached or left, ``price`` and ``fee`` in
    quote.
    """

    side: str
    net_quantity: Decimal
    price: Decimal
    fee: Decimal = ZERO
    magic_id: int = 0
    is_dust: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """One owner's part of a holding; ``quantity`` unsigned, the rest in quote."""

    magic_id: int
    quantity: Decimal = ZERO
    average: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Holding:
    """A position's figures; see the model for the units."""

    side: str
    quantity: Decimal = ZERO
    average: Decimal = ZERO
    entered: Decimal = ZERO
    entry_price: Decimal = ZERO
    exited: Decimal = ZERO
    exit_price: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    shares: tuple[Share, ...] = ()

    def share_of(self, magic_id: int) -> Share:
        """The owner's share; an empty one when it has none."""
        return next((share for share in self.shares if share.magic_id == magic_id), Share(magic_id))


@dataclass(frozen=True, slots=True)
class Step:
    """What a fill did: the holding it ended (if any), the one that is open after it (if any)."""

    entry: str
    closed: Holding | None
    current: Holding | None
    realised: Decimal = ZERO


def apply_fill(holding: Holding | None, fill: Fill) -> Step:
    """Fold one fill into a holding."""
    if holding is None:
        return Step(IN, None, _add(Holding(side=fill.side), fill))
    if holding.side == fill.side:
        return Step(IN, None, _add(holding, fill))
    if fill.net_quantity <= holding.quantity:
        reduced, realised = _reduce(holding, fill)
        if reduced.quantity == 0:
            return Step(OUT, reduced, None, realised)
        return Step(OUT, None, reduced, realised)
    return _reverse(holding, fill)


def portion(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The share of an amount (a fee, a gross quantity) that ``part`` of ``whole`` carries."""
    return rounded(EXACT.divide(EXACT.multiply(amount, part), whole))


def divide(quantity: Decimal, rooms: Iterable[Decimal]) -> tuple[list[Decimal], Decimal]:
    """Pour a quantity into rooms, in their order; returns what each takes and what is left."""
    taken = []
    for room in rooms:
        taken.append(min(room, quantity))
        quantity = EXACT.subtract(quantity, taken[-1])
    return taken, quantity


def _reverse(holding: Holding, fill: Fill) -> Step:
    """Close the holding and open the other way with the rest; the fee is shared by quantity."""
    closing_fee = portion(fill.fee, holding.quantity, fill.net_quantity)
    closing = replace(fill, net_quantity=holding.quantity, fee=closing_fee)
    closed, realised = _reduce(holding, closing)
    opening = replace(
        fill, net_quantity=fill.net_quantity - holding.quantity, fee=fill.fee - closing_fee
    )
    return Step(REVERSAL, closed, _add(Holding(side=fill.side), opening), realised)


def _average(quantity: Decimal, average: Decimal, added: Decimal, price: Decimal) -> Decimal:
    total = quantity + added
    if total == 0:
        return ZERO
    return divided(EXACT.multiply(quantity, average) + EXACT.multiply(added, price), total)


def _add(holding: Holding, fill: Fill) -> Holding:
    share = holding.share_of(fill.magic_id)
    grown = replace(
        share,
        quantity=share.quantity + fill.net_quantity,
        average=_average(share.quantity, share.average, fill.net_quantity, fill.price),
        fees=share.fees + fill.fee,
    )
    return replace(
        holding,
        quantity=holding.quantity + fill.net_quantity,
        average=_average(holding.quantity, holding.average, fill.net_quantity, fill.price),
        entered=holding.entered + fill.net_quantity,
        entry_price=_average(holding.entered, holding.entry_price, fill.net_quantity, fill.price),
        fees=holding.fees + fill.fee,
        shares=_with_share(holding.shares, grown),
    )


def _reduce(holding: Holding, fill: Fill) -> tuple[Holding, Decimal]:
    sign = 1 if holding.side == BUY else -1
    realised = multiplied(fill.net_quantity, fill.price - holding.average) * sign
    left = holding.quantity - fill.net_quantity
    exited = ZERO if fill.is_dust else fill.net_quantity
    reduced = replace(
        holding,
        quantity=left,
        average=holding.average if left else ZERO,
        exited=holding.exited + exited,
        exit_price=_average(holding.exited, holding.exit_price, exited, fill.price),
        realised=holding.realised + realised,
        fees=holding.fees + fill.fee,
        shares=_reduced_shares(holding, fill, sign),
    )
    return reduced, realised


def _reduced_shares(holding: Holding, fill: Fill, sign: int) -> tuple[Share, ...]:
    shares = holding.shares
    wanted = fill.net_quantity
    owner = holding.share_of(fill.magic_id)
    others = [share for share in shares if share.magic_id != fill.magic_id]
    for share in (owner, *others):
        taken = min(share.quantity, wanted)
        wanted -= taken
        left = share.quantity - taken
        changed = replace(
            share,
            quantity=left,
            average=share.average if left else ZERO,
            realised=share.realised + multiplied(taken, fill.price - share.average) * sign,
            fees=share.fees + (fill.fee if share is owner else ZERO),
        )
        shares = _with_share(shares, changed)
    return shares


def _with_share(shares: tuple[Share, ...], changed: Share) -> tuple[Share, ...]:
    kept = [share for share in shares if share.magic_id != changed.magic_id]
    return tuple(sorted([*kept, changed], key=lambda share: share.magic_id))
