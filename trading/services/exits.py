"""What an exit may still close, and the protective orders that stand in its way."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from common.money import ZERO, floored
from exchanges.clearing import Protection
from exchanges.protocol import MarketRules
from trading import states
from trading.models import Lot, Order, Position

from .folding import is_hedging
from .intents import LOT, OrderIntent
from .market_view import stored_rules

MAY_STAND_THERE = states.WORKING | {states.SENDING, states.UNKNOWN}


def is_of_lot(order: Order) -> bool:
    """Whether an exit concerns its owner's lot only, not the whole position."""
    return order.command is not None and order.command.payload.get("exit_scope") == LOT


def held_by(position: Position, magic_id: int) -> Decimal:
    """What an owner holds inside a position, in base units."""
    lot = Lot.objects.filter(position=position, magic_id=magic_id).first()
    held: Decimal = min(abs(lot.quantity), position.quantity) if lot else ZERO
    return held


def position_of(order: Order) -> Position | None:
    """The open position that an order's deals went to: the one it names in a hedging account, the
    symbol's own in a netting account.
    """
    rows = Position.objects.open().filter(
        account=order.account, book=order.book, symbol=order.symbol, allocated=True
    )
    return (rows.filter(pk=order.position_id or 0) if is_hedging(order.account) else rows).first()


def closes_of(position: Position, magic_id: int | None) -> list[Order]:
    """Exits under way that concern an owner's share, or anybody's where None is asked for; the
    protective orders are none of them.
    """
    running = Order.objects.live().filter(position=position, reduce_only=True, is_protective=False)
    return [
        each
        for each in running.select_related("account", "command").order_by("pk")
        if magic_id in (None, each.magic_id) or not is_of_lot(each)
    ]


class PositionUnclear(Exception):
    """No position, or more than one, is what an order may mean; ``code`` says which."""

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.facts = facts


def choose_position(intent: OrderIntent, owned: Sequence[Position]) -> Position | None:
    """The open position that an order for a hedging account is about; None for an entry that opens
    its own and for an exit that finds none.

    Raises PositionUnclear: ``position_not_found`` and ``position_side_mismatch`` for one that is
    named, ``position_ambiguous`` for an exit that names none and could mean several.
    """
    if intent.position_id:
        position = next((each for each in owned if each.pk == intent.position_id), None)
        if position is None:
            raise PositionUnclear("position_not_found", "there is no such open position")
        if (position.side == intent.side) == intent.reduce_only:
            raise PositionUnclear("position_side_mismatch", "the position is on the other side")
        return position
    if not intent.reduce_only:
        return None
    candidates = [
        each
        for each in owned
        if each.side != intent.side
        and (intent.exit_scope != LOT or held_by(each, intent.magic_id) > 0)
    ]
    if len(candidates) > 1:
        raise PositionUnclear(
            "position_ambiguous",
            "several positions may be meant: name one",
            position_ids=[each.pk for each in candidates],
        )
    return candidates[0] if candidates else None


class Exits:
    """What a batch of exits may still close and what stands in their way, read in two statements,
    three where protective orders are among them.

    ``orders`` are exits read with their accounts and commands. Rules of a market are read when an
    exit has to shrink, once per market.
    """

    def __init__(self, orders: Iterable[Order]) -> None:
        asked = list(orders)
        positions = {order.position_id for order in asked if order.position_id}
        self._rules: dict[tuple[str, bool, str], MarketRules | None] = {}
        self._lots: dict[tuple[int, int], Decimal] = {}
        self._protective: dict[int, list[Order]] = {}
        self._closing: dict[int, list[Order]] = {}
        if not positions:
            return
        rows = Lot.objects.filter(position__in=positions)
        for position_id, magic_id, quantity in rows.values_list(
            "position_id", "magic_id", "quantity"
        ):
            self._lots[position_id, magic_id] = abs(quantity)
        at_venue = Order.objects.filter(position__in=positions, state__in=MAY_STAND_THERE)
        for order in at_venue.filter(is_protective=True).order_by("pk"):
            self._protective.setdefault(order.position_id or 0, []).append(order)
        closes = Order.objects.live().filter(reduce_only=True, is_protective=False)
        guarded = {each.position_id for each in asked if each.is_protective}
        if guarded:
            for order in closes.filter(position__in=guarded).select_related("command"):
                self._closing.setdefault(order.position_id or 0, []).append(order)

    def still_held(self, order: Order, position: Position | None) -> Decimal:
        """The quantity an exit may be sent with now: what it asks for, or less where less is left.

        Zero when nothing is left: a take-profit or another close was quicker.
        """
        if position is None or position.pk != order.position_id or position.side == order.side:
            return ZERO
        held: Decimal = position.quantity
        if is_of_lot(order):
            held = min(self._lots.get((position.pk, order.magic_id), ZERO), held)
        wanted: Decimal = order.quantity
        if held >= wanted:
            return wanted
        rules = self._rules_of(order)
        return floored(held, rules.amount_step) if rules else ZERO

    def is_forestalled(self, order: Order) -> bool:
        """Whether a protective order is late: an exit of the same share is under way."""
        return order.is_protective and any(
            each.magic_id == order.magic_id or not is_of_lot(each)
            for each in self._closing.get(order.position_id or 0, ())
        )

    def _rules_of(self, order: Order) -> MarketRules | None:
        key = (order.account.venue, order.account.is_testnet, order.symbol)
        if key not in self._rules:
            self._rules[key] = stored_rules(order.account, order.symbol)
        return self._rules[key]

    def in_the_way(self, order: Order) -> tuple[Protection, ...]:
        """The protective orders that may stand at the venue and hold what an exit needs: its
        owner's, or all of the position's.
        """
        return tuple(
            Protection(row.client_order_id, row.exchange_order_id, row.filled_quantity)
            for row in self._protective.get(order.position_id or 0, ())
            if row.magic_id == order.magic_id or not is_of_lot(order)
        )
