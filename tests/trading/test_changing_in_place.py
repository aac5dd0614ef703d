"""Changes at a venue that changes a limit order in place: one request, and what the venue shows
afterwards is believed.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.clock import now
from common.principal import Principal
from riskmgmt.models import Reservation
from tests.trading.crashes import kill_at
from tests.trading.hedging import Book
from tests.trading.rehearsal import Exchange
from tests.trading.test_futures_end_to_end import SYMBOL, futures_book
from trading import states
from trading.models import Command, Order
from trading.services import recovery, replacing
from trading.services.changing import request_change
from trading.services.replacing import pursue_changes

Working = Callable[..., tuple[Book, Order]]


@pytest.fixture
def working(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest, settings: Any
) -> Working:
    """A limit order of a netting account that rests in the USD-M book."""
    settings.EXCHANGE_TIMEOUT_MS = 700

    def make(quantity: str = "0.03", price: str = "49000") -> tuple[Book, Order]:
        name = request.node.name
        book = futures_book(principal, exchange, name, ours="netting", is_hedged=False)
        order = book.trade("buy", quantity, type="limit", price=Decimal(price))
        assert order.state == states.OPEN, order.error_code
        return book, order

    return make


def ask(book: Book, order: Order, price: str | None = None, quantity: str | None = None) -> Command:
    """Wish for a change."""
    row = Order.objects.select_related("account", "command").get(pk=order.pk)
    return request_change(
        principal=book.principal,
        order=row,
        new_price=Decimal(price) if price else None,
        new_quantity=Decimal(quantity) if quantity else None,
    )


def pursue(order: Order) -> None:
    """One round of the sweep's stage."""
    Order.objects.filter(state=states.PENDING_REPLACE).update(next_attempt_at=now())
    pursue_changes()
    order.refresh_from_db()


def spoil(book: Book, kind: str, times: int = 1, **params: Any) -> None:
    """Let the next changes suffer a fault."""
    rule = {"match": {"method": "PUT", "path": "/fapi/v1/order"}, "kind": kind, "times": times}
    book.exchange.call("POST", "/_fault", {"script": [{**rule, "params": params}]})


def at_venue(book: Book) -> list[tuple[str, Decimal, Decimal]]:
    """Status, price and quantity of the orders there."""
    rows = book.exchange.dump(book.key)["futures"]["orders"]
    return [(row["status"], Decimal(row["price"]), Decimal(row["quantity"])) for row in rows]


def seen(price: str, quantity: str) -> list[tuple[str, Decimal, Decimal]]:
    """The one order in the book."""
    return [("NEW", Decimal(price), Decimal(quantity))]


def test_the_order_keeps_its_ids_and_gets_price_and_quantity(working: Working) -> None:
    book, order = working()
    ask(book, order, "49100", "0.05")
    assert Reservation.objects.held().get().notional == Decimal("2455")
    pursue(order)
    assert (order.state, str(order.price), str(order.quantity)) == ("OPEN", "49100", "0.05")
    assert (order.change_id, order.error_code, Order.objects.count()) == (None, "", 1)
    assert at_venue(book) == seen("49100", "0.05")
    ask(book, order, quantity="0.02")
    pursue(order)
    assert at_venue(book) == seen("49100", "0.02")
    assert Reservation.objects.held().get().notional == Decimal("982")


@pytest.mark.parametrize("kind", ["rst_after", "hang_after", "http_503_after", "e1007_after"])
def test_a_change_whose_answer_is_lost_is_seen_at_the_venue(working: Working, kind: str) -> None:
    book, order = working()
    ask(book, order, "49100")
    spoil(book, kind, seconds=1)
    pursue(order)
    assert (order.state, str(order.price)) == (states.OPEN, "49100")
    assert at_venue(book) == seen("49100", "0.03")


def test_a_change_that_got_lost_is_not_asked_for_again_and_given_up_when_it_cannot_come(
    working: Working,
) -> None:
    book, order = working()
    ask(book, order, "49100")
    spoil(book, "hang_before", seconds=1)
    for _ in range(3):
        pursue(order)
        assert (order.state, at_venue(book)) == (states.PENDING_REPLACE, seen("49000", "0.03"))
    Order.objects.update(change_sent_at=now() - timedelta(seconds=60))
    pursue(order)
    assert (order.state, order.error_code) == (states.OPEN, "change_not_taken")
    assert at_venue(book) == seen("49000", "0.03")
    ask(book, order, "49100")
    pursue(order)
    assert at_venue(book) == seen("49100", "0.03")


def test_a_refused_change_leaves_the_order_as_it_was(working: Working) -> None:
    book, order = working()
    ask(book, order, "49100")
    spoil(book, "refuse_precision")
    pursue(order)
    assert (order.state, order.error_code) == (states.OPEN, "bad_request")
    assert (str(order.price), order.change_id) == ("49000", None)
    assert at_venue(book) == seen("49000", "0.03")
    assert Reservation.objects.held().get().notional == Decimal("1470")


@pytest.mark.parametrize("point", ["before_change", "change_in_flight"])
def test_a_process_that_dies_on_the_way_leaves_it_to_the_next_look(
    working: Working, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    book, order = working()
    ask(book, order, "49100")
    with monkeypatch.context() as patch:
        kill_at(patch, replacing, point)
        pursue(order)
    assert order.state == states.PENDING_REPLACE
    Order.objects.update(next_attempt_at=now())
    recovery.sweep()
    order.refresh_from_db()
    if point == "before_change":
        assert (order.state, at_venue(book)) == (states.PENDING_REPLACE, seen("49000", "0.03"))
    else:
        assert (order.state, at_venue(book)) == (states.OPEN, seen("49100", "0.03"))


def test_fills_of_the_old_quantity_do_not_finish_a_grown_order(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, order = working("0.02", "49000")
    ask(book, order, quantity="0.04")
    with monkeypatch.context() as patch:
        kill_at(patch, replacing, "change_in_flight")
        pursue(order)
    book.exchange.fault("partial_parts")
    book.exchange.price(SYMBOL, "48900")
    book.work()
    pursue(order)
    book.work()
    order.refresh_from_db()
    assert (order.state, str(order.filled_quantity)) == (states.FILLED, "0.04")
    assert not order.overfilled
    assert book.open() == [("buy", "0.04")]


def test_an_order_that_fills_before_it_is_changed_is_told_so(working: Working) -> None:
    book, order = working()
    ask(book, order, "49100", "0.05")
    book.exchange.price(SYMBOL, "48900")
    pursue(order)
    book.work()
    pursue(order)
    order.refresh_from_db()
    assert (order.state, str(order.filled_quantity)) == (states.FILLED, "0.03")
    assert Order.objects.count() == 1
