"""Which chain of positions a deal belongs to, and which one it would belong to."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from accounts.models import Account
from trading.models import Deal, Position

from .folding import is_hedging
from .refolding import Chain


class Place(NamedTuple):
    """What names a chain: the external order where nobody owns it, the position in a hedging
    account. A chain to be made there has the negative number of the position it comes from.
    """

    book: str
    symbol: str
    name: str = ""
    position_id: int = 0


def place_of(deal: Deal) -> Place:
    """Where a deal, read with its position, belongs now."""
    position = deal.position
    if position is None:
        return Place(deal.book, deal.symbol)
    number = 0 if position.is_netting else position.pk
    return Place(deal.book, deal.symbol, position.external_order_id, number)


class Sorting:
    """Where deals of an account go that get a new attribution; ``target`` is the position that was
    named for them.
    """

    def __init__(self, account: Account, target: Position | None) -> None:
        self._account = account
        self._target = target

    def destination(self, deal: Deal) -> Place:
        """A netting account has one chain; in a hedging one a deal without a named target stays in
        the position it has, and what nobody owned becomes a position of its own.
        """
        here = place_of(deal)
        if not is_hedging(self._account):
            return Place(deal.book, deal.symbol)
        if self._target is not None and not self._target.is_netting:
            return Place(deal.book, deal.symbol, "", self._target.pk)
        if not here.name:
            return here
        return Place(deal.book, deal.symbol, "", -(deal.position_id or 0))

    def concerned(self, moving: Sequence[Deal]) -> list[Position]:
        """The positions whose figures may change."""
        found: dict[int, Position] = {}
        for place in self._places(moving):
            found |= {row.pk: row for row in self._rows(place)}
        return list(found.values())

    def chains(self, moving: Sequence[Deal]) -> list[Chain]:
        """The chains that the move touches, with the deals they will have; those first that gain
        some, since a position is let go only when no deal is tied to it any more.
        """
        left = {deal.pk for deal in moving}
        gaining = {self.destination(deal) for deal in moving}
        chains = []
        for place in sorted(self._places(moving), key=lambda each: (each not in gaining, each)):
            rows = self._rows(place)
            staying = Deal.objects.filter(position__in=rows).exclude(pk__in=left)
            arriving = [deal for deal in moving if self.destination(deal) == place]
            chains.append(self._chain(place, rows, [*staying, *arriving]))
        return chains

    def _places(self, moving: Iterable[Deal]) -> set[Place]:
        return {place for deal in moving for place in (place_of(deal), self.destination(deal))}

    def _rows(self, place: Place) -> list[Position]:
        rows = Position.objects.select_for_update(no_key=True).filter(
            account=self._account, book=place.book, symbol=place.symbol
        )
        if place.position_id:
            return list(rows.filter(pk=place.position_id))
        chain = rows.filter(is_netting=True, external_order_id=place.name)
        return list(chain.filter(allocated=not place.name).order_by("pk"))

    def _chain(self, place: Place, rows: list[Position], deals: list[Deal]) -> Chain:
        return Chain(
            account=self._account,
            book=place.book,
            symbol=place.symbol,
            positions=rows,
            deals=deals,
            name=place.name,
            venue_side=rows[0].venue_side if rows else "",
            may_turn=not place.position_id,
        )
