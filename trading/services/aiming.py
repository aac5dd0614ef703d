"""Targets: orders that say what their owner is to hold in the end, not what to add.

Whatever became of earlier ones, the next target leads to what it names.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal

from common.money import ZERO, floored
from trading.models import Lot, Order, Position

# Account, book and owner.
Place = tuple[int, str, int]


@dataclass(frozen=True, slots=True)
class Stock:
    """What an owner has of a symbol, in base units, below zero for short: its ``shares`` of open
    positions by their numbers, the oldest first, and what is ``coming`` by its orders under way.
    """

    shares: tuple[tuple[int, Decimal], ...] = ()
    coming: Decimal = ZERO

    @property
    def held(self) -> Decimal:
        """What it holds now."""
        return sum((quantity for _, quantity in self.shares), ZERO)

    def largest(self, sign: int) -> tuple[int, Decimal]:
        """Position and quantity of its largest share of one side (1 long, -1 short), zeros for
        none.
        """
        found = [each for each in self.shares if each[1] * sign > 0]
        return max(found, key=lambda each: abs(each[1]), default=(0, ZERO))


@dataclass(frozen=True, slots=True)
class Step:
    """The order that leads towards a target; an exit's ``quantity`` is None for the whole share."""

    side: str
    is_exit: bool
    quantity: Decimal | None
    position_id: int = 0


def read_stocks(
    accounts: Collection[int], symbol: str, owners: Collection[int]
) -> dict[Place, Stock]:
    """What owners have of a symbol in these accounts; two statements, which see one moment only
    while the caller holds the streams (``hold_streams``).

    Protective orders are on nobody's way, and neither is what was called back.
    """
    rows = Lot.objects.filter(
        magic_id__in=owners,
        position__account__in=accounts,
        position__symbol=symbol,
        position__state=Position.State.OPEN,
        position__allocated=True,
    ).exclude(quantity=ZERO)
    found: dict[Place, Stock] = {}
    columns = "position__account_id", "position__book", "magic_id", "position_id", "quantity"
    for account_id, book, owner, position_id, quantity in rows.order_by("position_id").values_list(
        *columns
    ):
        stock = found.get((account_id, book, owner), Stock())
        shares = (*stock.shares, (position_id, quantity))
        found[account_id, book, owner] = replace(stock, shares=shares)
    under_way = Order.objects.live().filter(
        account__in=accounts, symbol=symbol, magic_id__in=owners, is_protective=False
    )
    for order in under_way.filter(cancel_requested_at=None):
        count_in(found, order)
    return found


def count_in(stocks: dict[Place, Stock], order: Order) -> None:
    """Let an order's remainder count as coming to its owner."""
    place = order.account_id, order.book, order.magic_id
    stock = stocks.get(place, Stock())
    signed = order.remaining if order.side == "buy" else -order.remaining
    stocks[place] = replace(stock, coming=stock.coming + signed)


class UnderWay(Exception):
    """Orders on their way lead past the target, and nothing is held that could be closed."""


def next_step(stock: Stock, side: str, wanted: Decimal, amount_step: Decimal) -> Step | None:
    """What leads from ``stock`` towards ``wanted`` base units (not below zero) of a side; None
    where that is there or on its way.

    What is held on the other side is closed first, and entered is nothing before that. Raises
    UnderWay.
    """
    sign, other = (1, "sell") if side == "buy" else (-1, "buy")
    have = sign * (stock.held + stock.coming)
    if have < 0:
        position_id, quantity = stock.largest(-sign)
        if not quantity:
            raise UnderWay
        return Step(side, True, None, position_id)
    missing = floored(wanted - have, amount_step) if wanted > have else ZERO
    if missing:
        return Step(side, False, missing, stock.largest(sign)[0])
    surplus = floored(have - wanted, amount_step) if have > wanted else ZERO
    position_id, quantity = stock.largest(sign)
    if surplus and not quantity:
        raise UnderWay
    return Step(other, True, min(surplus, abs(quantity)), position_id) if surplus else None
