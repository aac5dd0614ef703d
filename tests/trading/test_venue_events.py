"""What a venue does by itself: liquidations reduce what they closed, strangers' orders stand apart,
funding is written once.
"""

from decimal import Decimal
from typing import Any

import pytest

from common.clock import now_ms
from common.principal import Principal
from exchanges.protocol import VenueFunding, VenueOrder
from monitoring.models import Alert
from tests.trading.contracts import SYMBOL, Contracts, contracts
from tests.trading.hedging import ledger_differences, open_book
from tests.trading.rehearsal import Exchange
from trading.models import CashFlow, Deal, Position, TradeCursor
from trading.services.agenda import agenda_of


@pytest.fixture(autouse=True)
def _venue(settings: Any) -> None:
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}


def forced(desk: Contracts, side: str, quantity: str, positions: dict[str, str]) -> None:
    """The venue closes by force."""
    order = VenueOrder(
        "x1", "autoclose-77", SYMBOL, side, "market", "filled", Decimal(quantity), Decimal(quantity)
    )
    desk.hear([desk.told("x1", side, quantity, "40000")], positions=positions, strangers=[order])


def rows(**filters: Any) -> list[tuple[str, str, Decimal]]:
    """Side, state and quantity of positions, oldest first."""
    found = Position.objects.filter(**filters).order_by("pk")
    return list(found.values_list("side", "state", "quantity"))


def test_a_liquidation_closes_a_netting_position(principal: Principal) -> None:
    desk = contracts(principal)
    desk.fill("buy", "0.3")
    forced(desk, "sell", "0.3", {})
    assert rows() == [("buy", "closed", Decimal(0))]
    deal = Deal.objects.order_by("-pk")[0]
    assert (deal.reason, deal.realised, deal.order) == ("liquidation", Decimal(-3000), None)
    assert Alert.objects.filter(code="position_liquidated").count() == 1
    assert TradeCursor.objects.get().mismatch == ""
    assert ledger_differences() == []


def test_a_liquidation_takes_the_oldest_of_its_side_first(principal: Principal) -> None:
    desk = contracts(principal, position_mode="hedge")
    for side, quantity in (("buy", "0.2"), ("sell", "0.1"), ("buy", "0.3")):
        desk.fill(side, quantity)
    forced(desk, "sell", "0.4", {})
    assert rows(allocated=True) == [
        ("buy", "closed", Decimal(0)), ("sell", "open", Decimal("0.1")),
        ("buy", "open", Decimal("0.1")),
    ]  # fmt: skip
    parts = Deal.objects.filter(reason="liquidation").order_by("pk")
    assert [(each.quantity, each.fee) for each in parts] == [
        (Decimal("0.2"), Decimal("0.25")), (Decimal("0.2"), Decimal("0.25")),
    ]  # fmt: skip
    forced(desk, "sell", "0.4", {})
    assert parts.all().count() == 4
    assert rows(allocated=False) == [("sell", "open", Decimal("0.3"))]
    assert TradeCursor.objects.get().mismatch == "net: ledger -0.4, venue 0"
    assert ledger_differences() == []


def test_a_liquidation_heard_twice_is_booked_once(principal: Principal) -> None:
    desk = contracts(principal, position_mode="hedge")
    desk.fill("buy", "0.2")
    desk.fill("buy", "0.3")
    trade = desk.told("x1", "sell", "0.4", "40000")
    order = VenueOrder(
        "x1", "autoclose-77", SYMBOL, "sell", "market", "filled", Decimal(0), Decimal(0)
    )
    for _ in range(2):
        desk.hear([trade], positions={"long": "0.1"}, strangers=[order])
    assert rows()[1:] == [("buy", "open", Decimal("0.1"))]
    assert Deal.objects.filter(reason="liquidation").count() == 2


def test_a_strangers_close_stands_apart_and_our_close_opens_nothing(principal: Principal) -> None:
    desk = contracts(principal)
    desk.fill("buy", "0.3")
    desk.hear([desk.told("web1", "sell", "0.3", "50000")], positions={})
    assert rows() == [("buy", "open", Decimal("0.3")), ("sell", "open", Decimal("0.3"))]
    close = desk.ask("sell", reduce_only=True, exit_scope="position")
    assert not isinstance(close, str)
    assert close.venue_reduce_only is True
    assert TradeCursor.objects.get().mismatch == ""


def test_a_strangers_trade_is_matched_on_the_side_it_changed(principal: Principal) -> None:
    desk = contracts(principal, is_hedged=True, position_mode="hedge")
    desk.fill("buy", "0.3")
    stranger = desk.told("web1", "sell", "0.1", "50000", position_side="long")
    desk.hear([stranger], positions={"long": "0.2"})
    assert Position.objects.get(allocated=False).venue_side == "long"
    assert TradeCursor.objects.get().mismatch == ""
    desk.hear(positions={"long": "0.3", "short": "0.1"})
    assert TradeCursor.objects.get().mismatch == (
        "long: ledger 0.2, venue 0.3; short: ledger 0, venue 0.1"
    )


def test_funding_is_written_once_and_asked_for_now_and_then(principal: Principal) -> None:
    desk = contracts(principal)
    desk.fill("buy", "0.3")
    assert list(agenda_of(desk.account).funding_since) == [SYMBOL]
    paid = VenueFunding("f1", SYMBOL, Decimal("-1.5"), "USDT", now_ms())
    for _ in range(2):
        desk.hear(positions=None, funding=[paid])
    flow = CashFlow.objects.get()
    assert (flow.reason, flow.amount, flow.currency) == ("funding", Decimal("-1.5"), "USDT")
    assert agenda_of(desk.account).funding_since == {}


def test_an_order_of_the_exchange_itself_is_known_by_its_client_id(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest
) -> None:
    book = open_book(principal, exchange, request.node.name, position_mode="netting")
    book.trade("buy", "0.3")
    exchange.call(
        "POST",
        "/_external",
        {
            "api_key": book.key,
            "symbol": "BTC/USDT",
            "side": "sell",
            "quantity": "0.2",
            "reason": "liquidation",
        },
    )
    book.work()
    assert rows() == [("buy", "open", Decimal("0.0997"))]
    assert Deal.objects.filter(reason="liquidation").count() == 1
