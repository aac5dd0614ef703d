"""Trailing stops follow the price by notches, legs that no venue holds are watched, and a leg that
was reached gets its way.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest

from monitoring.models import Alert
from tests.trading.guarded import book, enter, how_guarded, legs, make_book, turn, turns
from tests.trading.hedging import Book, ledger_differences
from trading.models import Order, Position, Protection
from trading.services.commands import submit
from trading.services.intents import OrderIntent
from trading.sizing import RISK_PERCENT, SizeSpec

__all__ = ["book", "make_book"]


def test_a_trailing_stop_follows_the_best_price_by_notches_and_never_back(book: Book) -> None:
    position = enter(book, "buy", "0.3", trailing_stop="1000")
    assert legs(position) == [("stop_loss", "49000", "0.2997", "OPEN")]
    book.exchange.price("BTC/USDT", "50050")
    turns(book)
    assert legs(position) == [("stop_loss", "49000", "0.2997", "OPEN")]
    book.exchange.price("BTC/USDT", "50600")
    turns(book)
    assert legs(position) == [("stop_loss", "49600", "0.2997", "OPEN")]
    book.exchange.price("BTC/USDT", "50000")
    turns(book)
    assert legs(position) == [("stop_loss", "49600", "0.2997", "OPEN")]
    assert how_guarded(position) == ("protected", "")
    book.exchange.price("BTC/USDT", "49500")
    turns(book)
    position.refresh_from_db()
    assert position.state == "closed"
    assert ledger_differences() == []


def test_the_tighter_of_a_fixed_and_a_trailing_stop_holds(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49500", trailing_stop="2%")
    assert legs(position) == [("stop_loss", "49500", "0.2997", "OPEN")]
    book.exchange.price("BTC/USDT", "52000")
    turns(book)
    assert legs(position) == [("stop_loss", "50960", "0.2997", "OPEN")]


def test_a_price_beyond_the_stop_while_it_is_moved_closes_at_market(book: Book) -> None:
    position = enter(book, "buy", "0.3", trailing_stop="1000")
    book.exchange.price("BTC/USDT", "52000")
    turn(book)  # the stop is being taken back
    book.exchange.price("BTC/USDT", "50500")
    turns(book, 6)
    position.refresh_from_db()
    assert (position.state, position.exit_price) == ("closed", Decimal(50500))
    exits = Order.objects.filter(reduce_only=True, state="FILLED")
    assert [(each.type, each.reason) for each in exits] == [("market", "stop_loss")]
    assert ledger_differences() == []


def test_a_reached_leg_takes_back_a_close_that_only_rests(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49000")
    resting = book.ask("sell", reduce_only=True, type="limit", price=Decimal("55000"))
    assert isinstance(resting, Order)
    turns(book)
    resting.refresh_from_db()
    assert (resting.state, legs(position)) == ("OPEN", [])
    assert how_guarded(position) == ("protected", "")
    book.exchange.price("BTC/USDT", "48900")
    turns(book, 6)
    resting.refresh_from_db()
    position.refresh_from_db()
    assert (resting.state, position.state) == ("CANCELED", "closed")
    assert ledger_differences() == []


def test_a_venue_without_followable_triggers_has_its_target_resting_and_its_stop_watched(
    make_book: Callable[..., Book], monkeypatch: pytest.MonkeyPatch
) -> None:
    far = make_book("far", position_mode="netting")
    monkeypatch.setattr("trading.services.protecting.triggers_at", lambda account: False)
    position = enter(far, "buy", "0.3", stop_loss="49000", take_profit="52000")
    assert legs(position) == [("limit", "52000", "0.2997", "OPEN")]
    assert how_guarded(position) == ("protected", "")
    far.exchange.price("BTC/USDT", "48000")
    turns(far)
    position.refresh_from_db()
    assert (position.state, position.exit_price) == ("closed", Decimal(48000))
    assert ledger_differences() == []


def test_a_watched_leg_without_a_price_is_missing(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49000", take_profit="52000")
    Protection.objects.update(watched_at=None, checked_at=None)
    book.exchange.call(
        "POST",
        "/_fault",
        {"script": [{"kind": "http_502_before", "times": 50,
                     "match": {"method": "GET", "path": "/api/v3/ticker/24hr"}}]},
    )  # fmt: skip
    turn(book)
    assert how_guarded(position)[0] == "placing"
    Protection.objects.update(since="2020-01-01T00:00:00Z")
    turn(book)
    assert how_guarded(position) == ("missing", "not_watched")
    assert Alert.objects.get(code="position_unprotected").state == "active"
    book.exchange.call("DELETE", "/_fault")
    turns(book)
    assert how_guarded(position) == ("protected", "")
    assert Alert.objects.get(code="position_unprotected").state == "resolved"


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"stop_loss": "51000"}, "stop_loss_wrong_side"),
        ({"take_profit": "49000"}, "take_profit_wrong_side"),
        ({"stop_loss": "100%"}, "stop_loss_wrong_side"),
        ({"trailing_stop": "60000"}, "trailing_stop_too_wide"),
        ({"stop_loss": "2%", "reduce_only": True}, "protection_of_an_exit"),
    ],
)
def test_wishes_that_make_no_sense_are_refused_and_nothing_moves(
    book: Book, wishes: dict[str, object], code: str
) -> None:
    assert book.ask("buy", "0.3", **wishes) == code
    assert (Order.objects.count(), Position.objects.count()) == (0, 0)


def test_an_entry_whose_stop_would_be_too_small_for_its_venue_is_refused(book: Book) -> None:
    assert isinstance(book.ask("buy", "0.00011"), Order)
    assert book.ask("buy", "0.00011", stop_loss="40000") == "below_min_notional"


def test_a_share_of_equity_at_risk_is_measured_by_the_wished_stop(book: Book) -> None:
    submit(
        principal=book.principal,
        intents=[
            OrderIntent(
                book.account.pk, "BTC/USDT", "buy",
                size=SizeSpec(RISK_PERCENT, Decimal("0.5")), stop_loss="2%",
            )
        ],
        source="test",
    )  # fmt: skip
    order = Order.objects.get()
    equity = book.account.equity
    assert order.quantity == (equity * Decimal("0.005") / 1000).quantize(Decimal("0.00001"))
