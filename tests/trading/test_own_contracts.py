"""Contracts in paper and shadow mode, through the whole ledger: nothing reaches the exchange, and
the books of one account never meet.
"""

from decimal import Decimal

import pytest

from accounts.models import Account
from common.clock import now
from common.principal import Principal
from events.consumers import run_consumers
from events.sequencer import number_events
from marketdata.models import LastPrice
from marketdata.tasks import refresh_quotes
from monitoring.models import Alert
from tests.trading.hedging import Book, ledger_differences
from tests.trading.rehearsal import Exchange
from tests.trading.test_futures_end_to_end import SYMBOL, futures_book, truth
from trading.models import Deal, FollowUp, Order, Position, Protection
from trading.services import reconcile
from trading.services.follow_ups import look
from trading.services.promotion import change_mode
from trading.services.watching import watch


@pytest.fixture
def book(principal: Principal, exchange: Exchange, request: pytest.FixtureRequest) -> Book:
    """A netting contract account at an exchange in one-way mode."""
    return futures_book(principal, exchange, request.node.name, ours="netting", is_hedged=False)


def held(name: str) -> list[tuple[str, str]]:
    """Side and quantity of the open positions of a book."""
    rows = Position.objects.open().filter(book=name)
    return [(row.side, str(row.quantity)) for row in rows.order_by("pk")]


@pytest.mark.parametrize("mode", ["paper", "shadow"])
def test_a_short_is_opened_and_closed_without_the_exchange(book: Book, mode: str) -> None:
    entry = book.trade("sell", "0.1", leverage=5, mode=mode)
    assert (entry.state, entry.book, entry.error_code) == ("FILLED", mode, "")
    assert held(mode) == [("sell", "0.1")]
    book.exchange.price(SYMBOL, "49000")
    close = book.trade("buy", reduce_only=True, exit_scope="position", mode=mode)
    assert (close.state, close.average_price) == ("FILLED", Decimal("49000.01"))
    position = Position.objects.get()
    assert (position.state, position.realised) == ("closed", Decimal("99.999"))
    assert {deal.fee_currency for deal in Deal.objects.all()} == {"USDT"}
    assert truth(book)["orders"] == []
    assert ledger_differences() == []
    assert Alert.objects.count() == 0


def test_paper_and_live_of_one_account_never_meet(book: Book) -> None:
    book.trade("sell", "0.1", leverage=5, mode="paper")
    live = book.trade("buy", "0.02", leverage=5)
    assert (live.state, live.error_code) == ("FILLED", "")
    assert (held("paper"), held("rehearsal")) == ([("sell", "0.1")], [("buy", "0.02")])
    # What was set for the paper book was not set at the exchange: the live order sets it.
    assert [row["leverage"] for row in truth(book)["positions"]] == [5]
    book.trade("buy", reduce_only=True, exit_scope="position", mode="paper")
    assert (held("paper"), held("rehearsal")) == ([], [("buy", "0.02")])
    assert len(truth(book)["orders"]) == 1
    assert ledger_differences() == []


def test_a_book_of_our_own_nets_at_an_exchange_that_does_not(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest
) -> None:
    book = futures_book(principal, exchange, request.node.name, ours="netting", is_hedged=True)
    entry = book.trade("sell", "0.1", leverage=5, mode="paper")
    assert (entry.state, entry.position_side) == ("FILLED", "")
    assert book.trade("buy", "0.02", leverage=5).position_side == "long"
    close = book.trade("buy", reduce_only=True, exit_scope="position", mode="paper")
    assert (close.state, close.position_side, close.venue_reduce_only) == ("FILLED", "", True)
    book.work()
    account = Account.objects.get()
    assert (account.status, account.venue_position_mode) == ("active", "hedge")
    assert (held("paper"), held("rehearsal")) == ([], [("buy", "0.02")])


def test_a_stop_rests_in_the_book_and_closes_the_position(book: Book) -> None:
    entry = book.trade("buy", "0.1", leverage=5, mode="paper", stop_loss="2%")
    assert entry.state == "FILLED"
    number_events()
    run_consumers()
    book.work()
    stop = Order.objects.get(is_protective=True)
    assert (stop.state, stop.book, stop.stop_price) == ("OPEN", "paper", Decimal(49_000))
    watch()
    assert Protection.objects.get().state == "protected"
    book.exchange.price(SYMBOL, "48500")
    book.work()
    stop.refresh_from_db()
    assert (stop.state, stop.average_price) == ("FILLED", Decimal(48_500))
    assert held("paper") == []
    assert truth(book)["orders"] == []


def test_a_position_is_liquidated_by_the_price_and_the_ledger_hears_of_it(book: Book) -> None:
    book.trade("buy", "1", leverage=10, mode="paper")
    book.exchange.price(SYMBOL, "40000")
    reconcile.poll([Account.objects.get()])
    assert held("paper") == []
    last = Deal.objects.latest("id")
    assert (last.book, last.side, last.reason) == ("paper", "sell", "liquidation")
    assert Account.objects.get().status == "active"
    assert ledger_differences() == []


def test_an_account_in_paper_has_its_own_wallet_and_agrees_with_it(book: Book) -> None:
    change_mode(
        principal=book.principal, account=book.account, mode="paper", confirm="paper", reason="x"
    )
    book.work()
    entry = book.trade("buy", "0.1", leverage=10)
    assert (entry.state, entry.book) == ("FILLED", "paper")
    for _ in range(3):
        book.work()
    account = Account.objects.get()
    assert (account.balance, account.equity) == (Decimal("9997.4999995"),) * 2
    assert (account.sync_error, account.status) == ("", "active")
    assert Alert.objects.count() == 0
    assert truth(book)["orders"] == []


def test_a_contracts_price_is_renewed_and_looked_up_after_a_shadow_fill(book: Book) -> None:
    book.trade("buy", "0.1", leverage=5, mode="shadow")
    number_events()
    run_consumers()
    book.exchange.price(SYMBOL, "51000")
    refresh_quotes()
    assert LastPrice.objects.get(symbol=SYMBOL).price == Decimal(51_000)
    FollowUp.objects.filter(seconds=10).update(due_at=now())
    assert look() == 1
    assert FollowUp.objects.get(seconds=10).price == Decimal(51_000)
