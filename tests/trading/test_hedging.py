"""A hedging account holds several positions of a symbol; a deal belongs where its order says."""

from decimal import Decimal

import pytest

from common.errors import Invalid, NotFound
from common.principal import Principal
from monitoring.models import Alert
from tests.trading.hedging import SYMBOL, Book, ledger_differences, open_book, tell
from tests.trading.rehearsal import Exchange
from trading.models import Deal, Order, Position
from trading.services.closing import close_position, terminate_account


@pytest.fixture
def book(principal: Principal, exchange: Exchange, request: pytest.FixtureRequest) -> Book:
    """A hedging account."""
    return open_book(principal, exchange, request.node.name)


def test_every_entry_opens_a_position_of_its_own_opposite_ones_too(book: Book) -> None:
    for side, quantity in (("buy", "0.3"), ("buy", "0.2"), ("sell", "0.1")):
        order = book.trade(side, quantity)
        assert order.position is not None
        assert order.position.is_netting is False
    assert book.open() == [("buy", "0.2997"), ("buy", "0.1998"), ("sell", "0.1")]
    total = sum((each.signed_quantity for each in Position.objects.open()), Decimal(0))
    assert total == Decimal("0.3995") == book.exchange.held(book.key, "BTC") - 10
    assert ledger_differences() == []


def test_an_order_that_names_a_position_adds_to_it(book: Book) -> None:
    first = book.trade("buy", "0.3")
    book.trade("buy", "0.2", position_id=first.position_id)
    assert book.open() == [("buy", "0.4995")]
    assert book.ask("sell", "0.1", position_id=first.position_id) == "position_side_mismatch"
    assert book.ask("buy", "0.1", position_id=first.position_id + 1000) == "position_not_found"
    assert book.open() == [("buy", "0.4995")]


def test_an_exit_closes_the_position_it_names_and_no_other(book: Book) -> None:
    first, second = book.trade("buy", "0.3"), book.trade("buy", "0.2")
    close = book.trade("sell", reduce_only=True, position_id=second.position_id)
    assert (close.quantity, close.position_id) == (Decimal("0.1998"), second.position_id)
    assert book.open() == [("buy", "0.2997")]
    assert Position.objects.get(pk=first.position_id).state == "open"
    assert ledger_differences() == []


def test_an_exit_without_a_name_needs_a_single_candidate_of_its_owner(book: Book) -> None:
    book.trade("buy", "0.3", magic_id=1)
    book.trade("buy", "0.2", magic_id=2)
    book.trade("sell", "0.1", magic_id=2)
    assert book.trade("sell", reduce_only=True, magic_id=2).quantity == Decimal("0.1998")
    book.trade("buy", "0.2", magic_id=1)
    before = Order.objects.count()
    assert book.ask("sell", reduce_only=True, magic_id=1) == "position_ambiguous"
    assert book.ask("sell", reduce_only=True, magic_id=3) == "short_not_supported"
    assert Order.objects.count() == before


def test_an_entry_that_goes_on_after_its_position_was_closed_opens_another(book: Book) -> None:
    entry = book.trade("buy", "0.3", type="limit", price=Decimal("40000"))
    tell(book.account, book.told(entry, "buy", "0.1", "40000"))
    entry.refresh_from_db()
    close = book.trade("sell", reduce_only=True, position_id=entry.position_id)
    assert close.state == "FILLED"
    tell(book.account, book.told(entry, "buy", "0.2", "40000"))
    assert list(Position.objects.order_by("pk").values_list("state", "quantity")) == [
        ("closed", Decimal(0)), ("open", Decimal("0.2")),
    ]  # fmt: skip
    entry.refresh_from_db()
    assert entry.position == Position.objects.open().get()
    assert ledger_differences() == []


def test_what_an_exit_brings_beyond_its_position_is_kept_unowned_and_reported(book: Book) -> None:
    entry = book.trade("buy", "0.3", type="limit", price=Decimal("40000"))
    tell(book.account, book.told(entry, "buy", "0.3", "40000"))
    entry.refresh_from_db()
    close = book.trade(
        "sell", reduce_only=True, position_id=entry.position_id, type="limit",
        price=Decimal("60000"),
    )  # fmt: skip
    tell(book.account, book.told(close, "sell", "0.4", "60000"))
    owned, excess = Position.objects.order_by("pk")
    assert (owned.state, owned.realised, owned.fees) == ("closed", Decimal(6000), Decimal("0.525"))
    assert (excess.allocated, excess.side, excess.quantity) == (False, "sell", Decimal("0.1"))
    parts = Deal.objects.filter(order=close).order_by("pk")
    assert [(each.exchange_trade_id, each.quantity, each.fee) for each in parts] == [
        ("t2", Decimal("0.3"), Decimal("0.225")), ("t2:2", Decimal("0.1"), Decimal("0.075")),
    ]  # fmt: skip
    close.refresh_from_db()
    assert (close.filled_quantity, close.overfilled) == (Decimal("0.4"), True)
    assert Alert.objects.filter(code="close_exceeded_position").count() == 1
    assert ledger_differences() == []


def test_a_close_by_symbol_must_be_clear(book: Book) -> None:
    first = book.trade("buy", "0.3")
    second = book.trade("sell", "0.1")
    with pytest.raises(Invalid) as refused:
        close_position(principal=book.principal, account=book.account, symbol=SYMBOL)
    assert refused.value.code == "position_ambiguous"
    assert Order.objects.filter(reduce_only=True).count() == 0
    close_position(
        principal=book.principal, account=book.account, symbol=SYMBOL,
        position_id=first.position_id,
    )  # fmt: skip
    book.work()
    assert book.open() == [("sell", "0.1")]
    with pytest.raises(NotFound):
        close_position(
            principal=book.principal, account=book.account, symbol=SYMBOL,
            position_id=first.position_id,
        )  # fmt: skip
    assert Position.objects.get(pk=second.position_id).state == "open"


def test_terminating_closes_every_position(book: Book) -> None:
    book.trade("buy", "0.3")
    book.trade("sell", "0.1")
    assert terminate_account(principal=book.principal, account=book.account).errors == []
    book.work()
    assert [(each.side, each.state) for each in Order.objects.filter(reduce_only=True)] == [
        ("sell", "FILLED"), ("buy", "FILLED"),
    ]  # fmt: skip
