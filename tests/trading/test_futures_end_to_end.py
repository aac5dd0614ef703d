"""Contracts through the whole platform, at the rehearsal exchange's USD-M side, in all four pairs
of our mode and the exchange's.
"""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from common.principal import Principal
from monitoring.models import Alert
from tests.exchanges.simulator_harness import sync_client
from tests.trading.hedging import Book, ledger_differences, open_book
from tests.trading.rehearsal import Exchange
from trading.models import CashFlow, Deal, Order, Position, TradeCursor
from trading.services.agenda import agenda_of

SYMBOL = "BTC/USDT:USDT"


def futures_book(
    principal: Principal, exchange: Exchange, key: str, *, ours: str, is_hedged: bool
) -> Book:
    """A swap account at the exchange, its position mode set there by its owner."""
    exchange.price(SYMBOL, "50000")
    exchange.register(key, f"secret-of-{key}", USDT="0")
    if is_hedged:
        owner = sync_client(exchange.url, key, f"secret-of-{key}")
        owner.fapiPrivatePostPositionSideDual({"dualSidePosition": "true"})
        owner.session.close()
    book = open_book(
        principal, exchange, key, market_type="swap", position_mode=ours, max_leverage=10
    )
    book.symbol = SYMBOL
    return book


def truth(book: Book) -> dict[str, Any]:
    """The margin account as the exchange has it."""
    return dict(book.exchange.dump(book.key)["futures"])


@pytest.mark.parametrize("ours", ["netting", "hedge"])
@pytest.mark.parametrize("is_hedged", [False, True])
def test_the_ledger_equals_the_exchange_in_every_pair_of_modes(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest,
    ours: str, is_hedged: bool,
) -> None:  # fmt: skip
    book = futures_book(principal, exchange, request.node.name, ours=ours, is_hedged=is_hedged)
    first = book.trade("buy", "0.03", leverage=5)
    second = book.trade("sell", "0.01", leverage=5)
    assert (first.state, second.state) == ("FILLED", "FILLED"), (
        first.error_code,
        second.error_code,
    )
    exchange.price(SYMBOL, "51000")
    while (position := Position.objects.open().first()) is not None:
        side = "sell" if position.side == "buy" else "buy"
        named = position.pk if ours == "hedge" else 0
        close = book.trade(side, reduce_only=True, exit_scope="position", position_id=named)
        assert close.state == "FILLED"
    book.work()
    account = Account.objects.get()
    assert account.venue_position_mode == ("hedge" if is_hedged else "one_way")
    realised = sum((row.realised for row in Position.objects.all()), Decimal(0))
    fees = sum((row.fee_quote for row in Deal.objects.all()), Decimal(0))
    assert realised == Decimal(20)
    assert account.equity == Decimal(10000) + realised - fees
    trades = {str(row["id"]) for row in truth(book)["trades"]}
    assert {deal.exchange_trade_id for deal in Deal.objects.all()} == trades
    assert TradeCursor.objects.get().mismatch == ""
    assert ledger_differences() == []
    assert Alert.objects.count() == 0


def test_a_virtual_close_that_the_net_would_refuse_is_done(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest
) -> None:
    book = futures_book(principal, exchange, request.node.name, ours="hedge", is_hedged=False)
    long = book.trade("buy", "0.02")
    book.trade("sell", "0.02")
    close = book.trade("sell", reduce_only=True, position_id=long.position_id)
    assert (close.state, close.venue_reduce_only) == ("FILLED", False)
    assert book.open() == [("sell", "0.02")]
    assert TradeCursor.objects.get().mismatch == ""


def test_funding_and_a_liquidation_reach_the_ledger(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest
) -> None:
    book = futures_book(principal, exchange, request.node.name, ours="netting", is_hedged=False)
    book.trade("buy", "0.02")
    exchange.call("POST", "/_funding", {"symbol": SYMBOL, "rate": "0.0001"})
    TradeCursor.objects.update(funding_checked_at=None)
    assert list(agenda_of(book.account).funding_since) == [SYMBOL]
    for _ in range(2):
        TradeCursor.objects.update(funding_checked_at=None)
        book.work()
    assert [(flow.amount, flow.currency) for flow in CashFlow.objects.all()] == [
        (Decimal("-0.1"), "USDT")
    ]
    exchange.call(
        "POST",
        "/_external",
        {
            "api_key": book.key, "symbol": SYMBOL, "side": "sell", "quantity": "0.02",
            "reason": "liquidation",
        },
    )  # fmt: skip
    book.work()
    assert Position.objects.get().state == "closed"
    assert Deal.objects.filter(reason="liquidation").count() == 1
    assert TradeCursor.objects.get().mismatch == ""
    assert Order.objects.count() == 1
