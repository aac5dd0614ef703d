"""What the workers do for protected positions, one turn at a time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from common.clock import now
from common.principal import Principal
from events.consumers import run_consumers
from events.sequencer import number_events
from marketdata.models import LastPrice
from tests.trading.hedging import Book, open_book
from tests.trading.rehearsal import Exchange
from trading.models import Order, Position, Protection
from trading.services import cancelling, execution, reconcile, watching

TURNS = 4
LONG_AGO = timedelta(minutes=1)


def turn(book: Book, *, watched: bool = True) -> None:
    """Send, pursue cancels, poll, follow the events and watch, once each."""
    execution.run(list(Order.objects.due_to_send().values_list("pk", flat=True)))
    cancelling.pursue_due()
    reconcile.poll([book.account])
    number_events()
    run_consumers()
    if watched:
        LastPrice.objects.update(at=now() - LONG_AGO)  # the watch asks for a price of its own
        watching.watch()


def turns(book: Book, count: int = TURNS) -> None:
    """So many turns: until nothing moves any more."""
    for _ in range(count):
        turn(book)


def enter(book: Book, side: str, quantity: str, **fields: Any) -> Position:
    """An entry and everything that follows from it; the position it went to."""
    entry = book.ask(side, quantity, **fields)
    assert isinstance(entry, Order), entry
    turns(book)
    deal = entry.deals.order_by("-pk")[0]
    return Position.objects.get(pk=deal.position_id)


def legs(position: Position) -> list[tuple[str, str, str, str]]:
    """Type, price, quantity and state of the protective orders that are not finished."""
    rows = Order.objects.live().filter(position=position, is_protective=True).order_by("pk")
    return [
        (row.type, f"{row.stop_price or row.price:f}", f"{row.remaining:f}", row.state)
        for row in rows
    ]


def how_guarded(position: Position) -> tuple[str, str]:
    """The position's own word, and the problem of its set."""
    position.refresh_from_db()
    row = Protection.objects.filter(position=position).order_by("pk").first()
    return position.protection, row.problem if row else ""


@pytest.fixture
def book(principal: Principal, exchange: Exchange, request: pytest.FixtureRequest) -> Book:
    """A netting account at the rehearsal exchange's spot markets."""
    return open_book(principal, exchange, request.node.name, position_mode="netting")


@pytest.fixture
def make_book(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest
) -> Callable[..., Book]:
    """Makes further accounts."""

    def make(name: str, **fields: Any) -> Book:
        return open_book(principal, exchange, f"{request.node.name}-{name}", **fields)

    return make
