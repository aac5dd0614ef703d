"""Folding a chain of positions anew, once the attribution of its deals has changed: their facts
stay, what follows from them is written again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from accounts.models import Account
from common.bulk import update_rows
from common.errors import Conflict
from common.money import ZERO
from trading.models import Deal, Lot, Order, Position
from trading.positions import OUT, REVERSAL, Holding, Step, apply_fill

from .folding import fill_of
from .holdings import write_holding


@dataclass(slots=True)
class Chain:
    """Positions that follow each other, and the deals that make them, in the order they were
    written: all of a netting account's symbol, of one external order, or one of a hedging account.

    ``name`` is the external order's where nobody owns it. ``may_turn`` says that an exit beyond
    what is held opens the next position; elsewhere it raises Conflict.
    """

    account: Account
    book: str
    symbol: str
    positions: list[Position]
    deals: list[Deal]
    name: str = ""
    venue_side: str = ""
    may_turn: bool = True

    def refold(self) -> list[Position]:
        """Write what the deals make now; returns the positions in their order.

        Rows that are left over are deleted. Raises Conflict ``position_would_turn``.
        """
        self.deals.sort(key=lambda deal: deal.pk)
        folded = self._fold()
        self._demand_sides(folded)
        left_over = self.positions[len(folded) :]
        rows = self.positions[: len(folded)]
        rows += [self._new_position(each) for each in folded[len(rows) :]]
        self._write(rows, folded, left_over)
        for row, each in zip(rows, folded, strict=True):
            for deal in each.deals:
                deal.position = row
        update_rows(self.deals, ("position", "magic_id", "entry", "realised", "reconciled"))
        self._let_go(left_over)
        return rows

    def _let_go(self, left_over: Sequence[Position]) -> None:
        """Delete positions without deals; their orders go where their own deals have gone."""
        for order in Order.objects.filter(position__in=left_over):
            last = Deal.objects.filter(order=order).order_by("-pk").first()
            Order.objects.filter(pk=order.pk).update(position=last.position_id if last else None)
        Position.objects.filter(pk__in=[row.pk for row in left_over]).delete()

    def _write(
        self, rows: Sequence[Position], folded: "Sequence[_Folded]", left_over: Sequence[Position]
    ) -> None:
        """Write the positions, first what is closed: a stream has one open netting position."""
        Lot.objects.filter(position__in=self.positions).delete()
        Position.objects.filter(pk__in=[row.pk for row in left_over]).update(
            state=Position.State.CLOSED, quantity=ZERO
        )
        pairs = zip(rows, folded, strict=True)
        for row, each in sorted(pairs, key=lambda pair: pair[1].holding.quantity > 0):
            row.opened_at = each.deals[0].executed_at
            write_holding(row, each.holding, each.last)

    def _fold(self) -> "list[_Folded]":
        """The positions that the deals make; each deal gets its entry and its result."""
        found: list[_Folded] = []
        current: Holding | None = None
        for deal in self.deals:
            step = apply_fill(current, fill_of(deal))
            self._demand_direction(deal, step, is_next=bool(found) and current is None)
            is_by = deal.entry == Deal.Entry.OUT_BY and step.entry == OUT
            deal.entry = deal.entry if is_by else step.entry
            deal.realised = step.realised
            if current is None:
                found.append(_Folded(step.current or step.closed or Holding(deal.side)))
            if step.closed is not None:
                found[-1].take(step.closed, deal)
            if step.closed is not None and step.current is not None:
                found.append(_Folded(step.current))
            if step.current is not None:
                found[-1].take(step.current, deal)
            current = step.current
        return found

    def _demand_direction(self, deal: Deal, step: Step, *, is_next: bool) -> None:
        """A position of a hedging account never turns round and is not opened again, and what
        closed two against each other goes on doing so.
        """
        opens = deal.entry == Deal.Entry.OUT_BY and step.entry != OUT
        if opens or (not self.may_turn and (step.entry == REVERSAL or is_next)):
            raise _would_turn(deal)

    def _demand_sides(self, folded: "Sequence[_Folded]") -> None:
        """A position of a hedging account stays on its side, whichever deal is first."""
        for row, each in zip(self.positions, folded, strict=False):
            if not self.may_turn and row.side != each.holding.side:
                raise _would_turn(each.deals[0])

    def _new_position(self, folded: "_Folded") -> Position:
        is_own = not self.name
        return Position(
            organisation_id=self.account.organisation_id,
            account=self.account,
            book=self.book,
            symbol=self.symbol,
            side=folded.holding.side,
            allocated=is_own,
            external_order_id=self.name,
            venue_side=self.venue_side,
            is_netting=self.may_turn,
        )


@dataclass(slots=True)
class _Folded:
    """One position as the deals leave it; a deal that turns it round belongs to the next one."""

    holding: Holding
    deals: list[Deal] = field(default_factory=list)
    last: Deal = field(init=False)

    def take(self, holding: Holding, deal: Deal) -> None:
        self.holding, self.last = holding, deal
        self.deals.append(deal)


def _would_turn(deal: Deal) -> Conflict:
    return Conflict(
        "The position would be turned round by its deals.",
        code="position_would_turn",
        details={"deal_id": deal.pk},
    )


def figures(positions: Iterable[Position]) -> dict[int, tuple[str, Decimal, Decimal, Decimal]]:
    """State, signed quantity, average price and result of positions, by their numbers."""
    return {
        row.pk: (row.state, row.signed_quantity, row.average_price, row.realised)
        for row in positions
    }
