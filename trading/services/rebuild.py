"""Rebuilding positions from deals, and comparing them with what is stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import transaction

from accounts.models import Account
from common.money import plain
from trading.models import Deal, Position
from trading.positions import Holding, apply_fill

from .fills import locked_cursor
from .folding import fill_of
from .holdings import holding_of, write_holding


@dataclass(frozen=True, slots=True)
class Replayed:
    """One position as the deals give it, and the last deal that touched it."""

    holding: Holding
    last_deal: Deal


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored position that is not what its deals say."""

    account_id: int
    symbol: str
    position_id: int | None
    stored: str
    replayed: str

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {name: getattr(self, name) for name in self.__slots__}


def replay(deals: Iterable[Deal]) -> list[Replayed]:
    """Fold deals, oldest first, into the positions they make, in the order these were opened."""
    finished: list[Replayed] = []
    current: Replayed | None = None
    for deal in deals:
        step = apply_fill(current.holding if current else None, fill_of(deal))
        if step.closed is not None:
            finished.append(Replayed(step.closed, deal))
        current = Replayed(step.current, deal) if step.current is not None else None
    return [*finished, current] if current else finished


class Stream(NamedTuple):
    """The deals that make one chain of positions: all of a netting account's symbol, of one
    unexplained order, or of one position (``position_id``) of a hedging account.
    """

    account_id: int
    book: str
    symbol: str
    allocated: bool
    external_order_id: str
    position_id: int = 0


def streams() -> list[Stream]:
    """Every stream that has positions."""
    names = ("account", "book", "symbol", "allocated", "external_order_id")
    chains = Position.objects.filter(is_netting=True).values_list(*names).distinct()
    single = Position.objects.filter(is_netting=False).values_list(*names, "pk")
    found = [Stream(*row) for row in (*chains.order_by(), *single.order_by())]
    return sorted(found, key=lambda each: (*each[:3], not each.allocated, *each[4:]))


@transaction.atomic
def check_stream(stream: Stream, *, repair: bool = False) -> list[Difference]:
    """Compare one stream's positions with its replayed deals; with ``repair`` write the replayed
    figures.

    Holds the stream's import lock. Deals are replayed in the order they were folded.
    """
    account_id, book, symbol, allocated, external_order_id, position_id = stream
    locked_cursor(Account.objects.get(pk=account_id), symbol)
    rows = Position.objects.filter(account=account_id, book=book, symbol=symbol)
    chosen = (
        rows.filter(pk=position_id)
        if position_id
        else rows.filter(is_netting=True, allocated=allocated, external_order_id=external_order_id)
    )
    positions = list(chosen.order_by("pk"))
    deals = Deal.objects.filter(position__in=positions).order_by("pk")
    replayed = replay(deals)
    differences = []
    for index in range(max(len(positions), len(replayed))):
        position = positions[index] if index < len(positions) else None
        wanted = replayed[index] if index < len(replayed) else None
        stored = _text(holding_of(position)) if position else "none"
        expected = _text(wanted.holding) if wanted else "none"
        if stored != expected:
            differences.append(
                Difference(account_id, symbol, position.pk if position else None, stored, expected)
            )
            if repair and position and wanted:
                write_holding(position, wanted.holding, wanted.last_deal)
    return differences


def _text(holding: Holding) -> str:
    shares = ", ".join(
        f"{each.magic_id}: {plain(each.quantity)} @ {plain(each.average)} = {plain(each.realised)}"
        for each in holding.shares
    )
    return (
        f"{holding.side} {plain(holding.quantity)} @ {plain(holding.average)}, realised "
        f"{plain(holding.realised)}, fees {plain(holding.fees)} [{shares}]"
    )
