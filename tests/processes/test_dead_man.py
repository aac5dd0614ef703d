"""The dead man's switch with real processes: the exchange cancels the orders of a killed sender,
one that ends in good order leaves them.
"""

import pytest

from accounts.dead_man import set_dead_man
from common.principal import Principal
from tests.processes.harness import Platform
from tests.trading.hedging import Book
from tests.trading.rehearsal import Exchange
from tests.trading.test_dead_man import rest, running, statuses
from tests.trading.test_futures_end_to_end import SYMBOL, futures_book
from tests.waiting import wait_until
from trading.models import Command, Order

pytestmark = pytest.mark.slow


@pytest.fixture
def book(principal: Principal, exchange: Exchange, request: pytest.FixtureRequest) -> Book:
    """A contract account with an order that rests, and the switch at its least."""
    book = futures_book(principal, exchange, request.node.name, ours="netting", is_hedged=False)
    set_dead_man(principal=principal, account=book.account, seconds=10)
    rest(book)
    return book


def test_a_killed_senders_orders_are_cancelled_and_the_next_one_learns_of_it(
    platform: Platform, book: Book
) -> None:
    platform.start()
    wait_until(lambda: running(book) == [SYMBOL], "armed by the sender")
    platform.kill(platform.sender)
    assert statuses(book) == ["NEW"]
    wait_until(lambda: statuses(book) == ["CANCELED"], "cancelled by the exchange")
    platform.start()
    wait_until(lambda: Order.objects.get().state == "CANCELED", "taken over by the ledger")
    assert not Command.objects.filter(kind=Command.Kind.CANCEL_ORDER).exists()
    platform.stop()


def test_an_orderly_end_leaves_the_orders(platform: Platform, book: Book) -> None:
    platform.start()
    wait_until(lambda: running(book) == [SYMBOL], "armed by the sender")
    platform.stop()
    assert (running(book), statuses(book)) == ([], ["NEW"])
