"""Symbols that nobody commanded are followed once a wallet or a stream shows trades in them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Account, Balance
from common.clock import now, to_ms
from common.errors import Unavailable
from tests.trading.conftest import Desk
from trading.models import Deal, Position, TradeCursor
from trading.services import following, reconcile
from trading.services.following import follow

SYMBOL = "ETH/USDT"


def by_hand(desk: Desk, symbol: str = SYMBOL) -> None:
    """Somebody buys at the exchange itself."""
    body = {"api_key": desk.keys[0], "symbol": symbol, "side": "buy", "quantity": "0.5"}
    desk.exchange.call("POST", "/_external", {**body, "reason": "manual"})


def booked() -> list[tuple[str, Decimal, bool]]:
    """Symbol, quantity and whether an order of ours stands behind it, of every deal."""
    return [(deal.symbol, deal.quantity, deal.order_id is None) for deal in Deal.objects.all()]


def test_a_trade_by_hand_in_a_symbol_nobody_commanded_comes_into_the_inbox(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(2)
    read_at = Account.objects.get(pk=desk.accounts[0].pk).synced_at
    assert read_at is not None
    Account.objects.update(next_poll_at=now() + timedelta(hours=1))
    by_hand(desk)
    desk.settle()
    cursor = TradeCursor.objects.get()
    assert (cursor.account, cursor.symbol) == (desk.accounts[0], SYMBOL)
    assert cursor.since_ms == to_ms(read_at) - 600_000
    assert booked() == []
    assert reconcile.poll_due() == 1  # the one that has to be asked again, and at once
    assert booked() == [(SYMBOL, Decimal("0.5"), True)]
    assert Position.objects.waiting().get().symbol == SYMBOL


def test_a_coin_that_came_before_the_first_reading_is_nobodys_trade(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1, USDT="10000", ETH="3")
    desk.settle()
    assert Balance.objects.get(currency="ETH").free == 3
    assert not TradeCursor.objects.exists()


def test_a_coin_that_no_market_of_the_venue_has_is_not_asked_about(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    Balance.objects.create(account=desk.accounts[0], currency="NEWCOIN", free=5, used=0, at=now())
    desk.settle()
    assert not TradeCursor.objects.exists()
    assert not Balance.objects.filter(currency="NEWCOIN").exists()


def test_a_venue_that_does_not_tell_its_markets_is_compared_with_anew(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(2)
    by_hand(desk)

    def silent(*_: object, **__: object) -> None:
        raise Unavailable("no markets", code="market_unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(following, "market", silent)
        desk.settle()
    first, second = (Account.objects.get(pk=each.pk) for each in desk.accounts)
    assert (first.sync_error, second.sync_error) == ("market_unavailable", "")
    assert not Balance.objects.filter(account=first, currency="ETH").exists()
    desk.settle()
    desk.settle()
    assert booked() == [(SYMBOL, Decimal("0.5"), True)]
    assert Account.objects.get(pk=first.pk).sync_error == ""


def test_a_symbol_followed_twice_keeps_what_was_read_of_it(make_desk: Callable[..., Desk]) -> None:
    account = make_desk(1).accounts[0]
    assert follow([(account.pk, SYMBOL)], since_ms=7) == {(account.pk, SYMBOL)}
    assert follow([(account.pk, SYMBOL)], since_ms=9) == set()
    assert TradeCursor.objects.get().since_ms == 7
