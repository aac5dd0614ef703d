"""The positions that one transaction works on: read once, folded in memory, written once.

Whoever uses it holds the cursors of the streams (account and symbol) that are read. Nothing is
written before :meth:`Holdings.write`; the number of statements depends on how many symbols and
kinds of change there are, not on how many accounts.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from common.bulk import insert_rows, update_rows, upsert_rows
from common.clock import now
from common.crash import crash_point
from events.log import NewEvent
from trading.models import Deal, Lot, Order, Position
from trading.positions import Holding, Share

from .announce import deal_event, position_event

POSITION_FIELDS = (
    "side", "quantity", "average_price", "entered_quantity", "entry_price", "exited_quantity",
    "exit_price", "realised", "fees", "state", "closed_at", "updated_at",
)  # fmt: skip
LOT_FIELDS = ("quantity", "average_price", "realised", "fees")


class Stream(NamedTuple):
    """What one cursor's lock covers in one book."""

    account_id: int
    book: str
    symbol: str


class Holdings:
    """Open positions by stream, and what changed of them."""

    def __init__(self) -> None:
        self._rows: dict[Stream, list[Position]] = {}
        self._figures: dict[int, Holding] = {}
        self._owners: dict[int, set[int]] = {}
        self._changed: dict[int, Position] = {}
        self._openings: dict[int, tuple[Order, Position]] = {}
        self._deals: list[Deal] = []

    def read(self, streams: Iterable[Stream]) -> None:
        """Read and lock the open positions of streams not read yet, with their lots."""
        by_place: dict[tuple[str, str], list[Stream]] = {}
        for stream in sorted(set(streams) - self._rows.keys()):
            self._rows[stream] = []
            by_place.setdefault((stream.book, stream.symbol), []).append(stream)
        for (book, symbol), wanted in by_place.items():
            open_rows = Position.objects.select_for_update(no_key=True).open().order_by("pk")
            rows = list(
                open_rows.filter(
                    account__in=[each.account_id for each in wanted], book=book, symbol=symbol
                )
            )
            shares = _shares(rows)
            for row in rows:
                self._rows[Stream(row.account_id, book, symbol)].append(row)
                self._figures[id(row)] = figures_of(row, shares.get(row.pk, ()))

    def open_in(self, stream: Stream) -> list[Position]:
        """The stream's open positions, oldest first, as they are after what was folded so far."""
        self.read([stream])
        return [row for row in self._rows[stream] if row.state == Position.State.OPEN]

    def figures(self, position: Position) -> Holding:
        """A read position's figures."""
        return self._figures[id(position)]

    def opened_by(self, order: Order) -> Position | None:
        """The position that an order's deals opened in this transaction."""
        opening = self._openings.get(order.pk)
        return opening[1] if opening else None

    def opens(self, order: Order, position: Position) -> None:
        """Remember which order opened a position of its own."""
        self._openings[order.pk] = (order, position)

    def put(self, position: Position, holding: Holding, deal: Deal) -> None:
        """Give a position, read or new, the figures that a deal left it with."""
        if id(position) not in self._figures:
            self._rows[Stream(position.account_id, position.book, position.symbol)].append(position)
        self._figures[id(position)] = holding
        self._changed[id(position)] = position
        self._owners.setdefault(id(position), set()).add(deal.magic_id)
        set_figures(position, holding, deal)

    def add(self, deal: Deal) -> None:
        """Take a deal, to be written with its position."""
        self._deals.append(deal)

    def unwritten(self) -> Collection[Deal]:
        """Deals that stand only here yet."""
        return self._deals

    def write(self) -> list[NewEvent]:
        """Write positions, lots and deals; returns the events that tell of them."""
        changed = list(self._changed.values())
        # First what closes: a stream has one open netting position at a time.
        update_rows([row for row in changed if row.pk], POSITION_FIELDS)
        insert_rows([row for row in changed if not row.pk])
        write_lots([(row, self._figures[id(row)]) for row in changed])
        if self._deals:
            crash_point("position_fold")
        for order, position in self._openings.values():
            order.position = position
        update_rows([order for order, _ in self._openings.values()], ("position",))
        for deal in self._deals:
            deal.position_id = deal.position.pk if deal.position else None
        insert_rows(self._deals)
        events = [deal_event(deal) for deal in self._deals]
        events += [position_event(row, self._owners[id(row)]) for row in changed]
        self._deals, self._changed, self._owners, self._openings = [], {}, {}, {}
        return events


def _shares(positions: Collection[Position]) -> dict[int, tuple[Share, ...]]:
    """The owners' shares by position, in the order of their numbers."""
    found: dict[int, tuple[Share, ...]] = {}
    rows = Lot.objects.filter(position__in=[row.pk for row in positions]) if positions else ()
    for lot in sorted(rows, key=lambda each: each.magic_id):
        share = Share(lot.magic_id, abs(lot.quantity), lot.average_price, lot.realised, lot.fees)
        found[lot.position_id] = (*found.get(lot.position_id, ()), share)
    return found


def holding_of(position: Position) -> Holding:
    """A stored position and its lots as the fold's value."""
    return figures_of(position, _shares([position]).get(position.pk, ()))


def figures_of(position: Position, shares: tuple[Share, ...]) -> Holding:
    """A position's row and its shares as the fold's value."""
    return Holding(
        side=position.side,
        quantity=position.quantity,
        average=position.average_price,
        entered=position.entered_quantity,
        entry_price=position.entry_price,
        exited=position.exited_quantity,
        exit_price=position.exit_price,
        realised=position.realised,
        fees=position.fees,
        shares=shares,
    )


def set_figures(position: Position, holding: Holding, deal: Deal) -> None:
    """Put a holding's figures into its row; ``deal`` is the last one folded into it."""
    position.side = holding.side
    position.quantity = holding.quantity
    position.average_price = holding.average
    position.entered_quantity = holding.entered
    position.entry_price = holding.entry_price
    position.exited_quantity = holding.exited
    position.exit_price = holding.exit_price
    position.realised = holding.realised
    position.fees = holding.fees
    is_open = holding.quantity > 0
    position.state = Position.State.OPEN if is_open else Position.State.CLOSED
    position.closed_at = None if is_open else deal.executed_at
    position.updated_at = now()


def write_holding(position: Position, holding: Holding, deal: Deal) -> None:
    """Store one holding's figures and lots."""
    set_figures(position, holding, deal)
    position.save()
    write_lots([(position, holding)])


def write_lots(holdings: Iterable[tuple[Position, Holding]]) -> None:
    """Write the owners' shares of saved positions with one statement."""
    lots = [
        Lot(
            position=position,
            magic_id=share.magic_id,
            quantity=share.quantity if holding.side == "buy" else -share.quantity,
            average_price=share.average,
            realised=share.realised,
            fees=share.fees,
        )
        for position, holding in holdings
        for share in holding.shares
    ]
    upsert_rows(lots, unique_fields=("position", "magic_id"), update_fields=LOT_FIELDS)
