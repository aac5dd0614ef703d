"""After every poll ledger and venue are compared; a lasting difference closes a symbol to
entries.
"""

from decimal import Decimal
from typing import Any

import pytest

from common.errors import NotFound
from common.principal import Principal
from exchanges.protocol import VenueBalance
from monitoring.models import Alert
from tests.trading.contracts import Contracts, contracts
from tests.trading.hedging import Book, open_book
from tests.trading.rehearsal import Exchange
from trading.models import Order, TradeCursor
from trading.services.agenda import Report, agenda_of
from trading.services.agreement import accept_mismatch
from trading.services.reconcile import import_report

REFUSED = "denied_ledger_mismatch"


@pytest.fixture
def desk(principal: Principal, settings: Any) -> Contracts:
    """A hedging swap account with a long of 0.3 and a short of 0.1."""
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}
    made = contracts(principal, position_mode="hedge")
    made.fill("buy", "0.3")
    made.fill("sell", "0.1")
    return made


def reported() -> list[str]:
    """The states of the alerts about a difference."""
    alerts = Alert.objects.filter(code="ledger_mismatch").order_by("pk")
    return [str(alert.state) for alert in alerts]


def test_virtual_positions_agree_with_the_venues_net(desk: Contracts) -> None:
    for _ in range(2):
        desk.hear(positions={"long": "0.2"})
    assert TradeCursor.objects.get().mismatch == ""
    assert isinstance(desk.ask("buy", "0.1"), Order)


def test_a_difference_in_two_polls_running_lets_only_exits_pass(desk: Contracts) -> None:
    desk.hear(positions={})
    assert (reported(), TradeCursor.objects.get().mismatch) == (
        [], "net: ledger 0.2, venue 0",
    )  # fmt: skip
    entry = desk.ask("buy", "0.1")
    assert isinstance(entry, Order)
    Order.objects.filter(pk=entry.pk).update(state="CANCELED")
    desk.hear(positions={})
    assert reported() == ["active"]
    assert desk.ask("buy", "0.1") == REFUSED
    assert isinstance(desk.ask("sell", reduce_only=True, exit_scope="position"), Order)
    desk.hear(positions={})
    assert reported() == ["active"]


def test_agreement_opens_the_symbol_again(desk: Contracts) -> None:
    for held in ("0.1", "0.1", "0.2"):
        desk.hear(positions={"long": held})
    assert reported() == ["resolved"]
    assert isinstance(desk.ask("buy", "0.1"), Order)


def test_one_difference_between_agreements_is_nothing(desk: Contracts) -> None:
    for held in ("0.1", "0.2", "0.1", "0.2"):
        desk.hear(positions={"long": held})
    assert reported() == []


def test_an_accepted_difference_stays_accepted_until_it_changes(
    desk: Contracts, principal: Principal
) -> None:
    for _ in range(2):
        desk.hear(positions={"long": "0.1"})
    accept_mismatch(principal=principal, account=desk.account, symbol="BTC/USDT:USDT")
    for _ in range(2):
        desk.hear(positions={"long": "0.1"})
    assert (reported(), TradeCursor.objects.get().mismatch_count) == (["resolved"], 0)
    for _ in range(2):
        desk.hear(positions={"long": "0.4"})
    assert reported() == ["resolved", "active"]
    desk.hear(positions={"long": "0.2"})
    with pytest.raises(NotFound):
        accept_mismatch(principal=principal, account=desk.account, symbol="BTC/USDT:USDT")


def test_where_both_keep_sides_apart_each_side_must_agree(desk: Contracts) -> None:
    desk.is_hedged = True
    desk.account.venue_position_mode = ""
    desk.hear(positions={"long": "0.2", "short": "0"})
    assert TradeCursor.objects.get().mismatch == (
        "long: ledger 0.3, venue 0.2; short: ledger 0.1, venue 0"
    )
    desk.hear(positions={"long": "0.3", "short": "0.1"})
    assert TradeCursor.objects.get().mismatch == ""


def test_an_order_in_doubt_suspends_the_comparison(desk: Contracts) -> None:
    order = desk.ask("buy", "0.1")
    assert isinstance(order, Order)
    Order.objects.filter(pk=order.pk).update(state="UNKNOWN")
    for _ in range(3):
        desk.hear(positions={"long": "0.3"})
    assert TradeCursor.objects.get().mismatch == ""


def test_a_spot_wallet_may_hold_more_and_never_less(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest
) -> None:
    book: Book = open_book(principal, exchange, request.node.name, position_mode="netting")
    book.trade("buy", "0.3")

    def hear(held: str) -> None:
        balances = {
            "BTC": VenueBalance("BTC", Decimal(held), Decimal(0)),
            "USDT": VenueBalance("USDT", Decimal(50000), Decimal(0)),
        }
        report = Report(balances=balances, trades={"BTC/USDT": []})
        import_report(agenda_of(book.account), report)

    for held in ("10.2997", "0.2997"):
        hear(held)
        assert TradeCursor.objects.get().mismatch == ""
    for _ in range(2):
        hear("0.2")
    assert TradeCursor.objects.get().mismatch == "the wallet lacks 0.0997 BTC"
    assert book.ask("buy", "0.1") == REFUSED
