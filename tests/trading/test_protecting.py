"""Stop-loss and take-profit: one set per owner and position, which stands at the venue as far as
that takes it, follows the fills, and goes with the position.
"""

from collections.abc import Callable
from decimal import Decimal

from common.clock import now
from common.principal import system_principal
from monitoring.models import Alert
from tests.trading.guarded import book, enter, how_guarded, legs, make_book, turn, turns
from tests.trading.hedging import Book, ledger_differences, tell
from trading.models import Command, Deal, Order, Position, Protection
from trading.services import recovery
from trading.services.cancelling import cancel_order
from trading.services.closing import close_position

__all__ = ["book", "make_book"]


def test_the_stop_of_a_bracket_rests_at_the_venue_and_its_target_is_watched(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="2%", take_profit="3%")
    assert legs(position) == [("stop_loss", "49000", "0.2997", "OPEN")]
    assert how_guarded(position) == ("protected", "")
    held = book.exchange.orders(book.key)[-1]
    assert (held["type"], Decimal(held["quantity"])) == ("STOP_LOSS", Decimal("0.2997"))


def test_a_stop_that_the_venue_sets_off_closes_the_position_and_ends_the_set(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49000", take_profit="52000")
    book.exchange.price("BTC/USDT", "48900")
    turns(book)
    position.refresh_from_db()
    assert (position.state, position.realised) == ("closed", Decimal("-329.67"))
    assert how_guarded(position) == ("none_wanted", "")
    assert Protection.objects.get().state == "ended"
    assert legs(position) == []
    assert ledger_differences() == []


def test_a_watched_target_withdraws_the_stop_and_closes_at_market(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49000", take_profit="52000")
    book.exchange.price("BTC/USDT", "52100")
    turns(book)
    position.refresh_from_db()
    assert (position.state, position.realised) == ("closed", Decimal("629.37"))
    orders = Order.objects.order_by("pk").values_list("type", "reason", "state")
    assert list(orders) == [
        ("market", "api", "FILLED"),
        ("stop_loss", "stop_loss", "CANCELED"),
        ("market", "take_profit", "FILLED"),
    ]
    assert ledger_differences() == []


def test_a_set_grows_with_a_further_entry_whose_wishes_hold_for_the_whole_share(
    book: Book,
) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49000")
    assert enter(book, "buy", "0.2") == position
    assert legs(position) == [("stop_loss", "49000", "0.4995", "OPEN")]
    enter(book, "buy", "0.1", stop_loss="49500")
    assert legs(position) == [("stop_loss", "49500", "0.5994", "OPEN")]
    assert how_guarded(position) == ("protected", "")
    assert Protection.objects.count() == 1


def test_a_set_shrinks_with_a_partial_exit(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49000")
    exit_order = book.ask("sell", "0.1", reduce_only=True)
    assert isinstance(exit_order, Order)
    turns(book)
    assert legs(position) == [("stop_loss", "49000", "0.1997", "OPEN")]
    assert how_guarded(position) == ("protected", "")


def test_an_entry_is_protected_from_its_first_fill_on(book: Book) -> None:
    entry = book.ask("buy", "0.3", type="limit", price=Decimal("49800"), stop_loss="49000")
    assert isinstance(entry, Order)
    turn(book)
    entry.refresh_from_db()
    assert entry.state == "OPEN"
    tell(book.account, book.told(entry, "buy", "0.1", "49800"))
    turns(book, 2)
    position = Position.objects.open().get()
    assert legs(position) == [("stop_loss", "49000", "0.1", "OPEN")]
    tell(book.account, book.told(entry, "buy", "0.1", "49800"))
    turns(book)
    assert legs(position) == [("stop_loss", "49000", "0.2", "OPEN")]


def test_a_close_withdraws_the_set_and_nothing_is_placed_again(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49000", take_profit="52000")
    close_position(principal=book.principal, account=book.account, symbol=book.symbol)
    turns(book)
    assert how_guarded(position) == ("none_wanted", "")
    assert Order.objects.live().count() == 0
    assert Order.objects.filter(is_protective=True).count() == 1
    assert Deal.objects.count() == 2


def test_two_owners_of_a_position_have_a_set_each(book: Book) -> None:
    position = enter(book, "buy", "0.3", magic_id=1, stop_loss="49000")
    enter(book, "buy", "0.2", magic_id=2, stop_loss="48000")
    assert legs(position) == [
        ("stop_loss", "49000", "0.2997", "OPEN"), ("stop_loss", "48000", "0.1998", "OPEN"),
    ]  # fmt: skip
    book.exchange.price("BTC/USDT", "48900")
    turns(book)
    assert legs(position) == [("stop_loss", "48000", "0.1998", "OPEN")]
    assert how_guarded(position) == ("protected", "")
    assert ledger_differences() == []


def test_a_leg_that_a_person_cancels_stays_away(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49000")
    cancel_order(
        principal=system_principal(book.principal.organisation_id, "user:1"),
        order=Order.objects.live().get(is_protective=True),
    )
    turns(book)
    assert (legs(position), how_guarded(position)) == ([], ("none_wanted", ""))


def test_a_leg_that_the_venue_ends_is_placed_again(book: Book) -> None:
    position = enter(book, "buy", "0.3", stop_loss="49000")
    order = Order.objects.live().get(is_protective=True)
    book.exchange.call(
        "POST",
        "/_cancel",
        {
            "api_key": book.key, "symbol": "BTC/USDT",
            "order_id": int(order.exchange_order_id), "status": "EXPIRED",
        },
    )  # fmt: skip
    turns(book)
    order.refresh_from_db()
    assert order.state == "EXPIRED"
    assert legs(position) == [("stop_loss", "49000", "0.2997", "OPEN")]


def test_a_leg_that_the_venue_refuses_is_missing_in_red_until_it_stands(book: Book) -> None:
    entry = book.ask("buy", "0.3", stop_loss="49000")
    assert isinstance(entry, Order)
    turn(book, watched=False)
    book.exchange.fault("refuse_balance", times=2)
    turns(book)
    position = Position.objects.open().get()
    assert position.protection == "missing"
    alert = Alert.objects.get(code="position_unprotected")
    assert (alert.severity, alert.state) == ("critical", "active")
    for _ in range(4):
        Protection.objects.update(next_attempt_at=None)
        turn(book)
    assert how_guarded(position) == ("protected", "")
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_an_unknown_outcome_is_waited_for_and_never_placed_twice(book: Book) -> None:
    entry = book.ask("buy", "0.3", stop_loss="49000")
    assert isinstance(entry, Order)
    turn(book, watched=False)
    book.exchange.fault("no_id_after")
    turns(book)
    position = Position.objects.open().get()
    assert (len(legs(position)), position.protection) == (1, "placing")
    Order.objects.filter(state="UNKNOWN").update(next_attempt_at=now())
    recovery.resolve_unknown()
    turns(book)
    assert legs(position) == [("stop_loss", "49000", "0.2997", "OPEN")]
    assert how_guarded(position) == ("protected", "")
    stops = [each for each in book.exchange.orders(book.key) if each["type"] == "STOP_LOSS"]
    assert len(stops) == 1


def test_a_repeated_event_and_a_repeated_watch_change_nothing(book: Book) -> None:
    enter(book, "buy", "0.3", stop_loss="49000", take_profit="52000")
    before = (Command.objects.count(), Order.objects.count())
    turns(book)
    assert (Command.objects.count(), Order.objects.count()) == before


def test_a_position_of_a_hedging_account_has_its_own_set(
    make_book: Callable[..., Book],
) -> None:
    hedging = make_book("hedge")
    first = enter(hedging, "buy", "0.3", stop_loss="49000")
    second = enter(hedging, "buy", "0.2", stop_loss="48000")
    assert first != second
    assert legs(first) == [("stop_loss", "49000", "0.2997", "OPEN")]
    assert legs(second) == [("stop_loss", "48000", "0.1998", "OPEN")]
