"""Paper, shadow and live: which book an order goes to, and that the books never meet."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account, Book
from common.clock import now
from common.errors import Conflict, Invalid
from common.principal import TRADER
from marketdata.models import LastPrice
from riskmgmt.limits import set_limits
from riskmgmt.models import KillSwitch, Reservation
from riskmgmt.switches import engage, release
from tests.trading.conftest import Desk
from trading.models import Command, Deal, Order, Position
from trading.services import closing, recovery
from trading.services.commands import submit
from trading.services.intents import OrderIntent
from trading.services.modes import mode_told
from trading.services.rebuild import check_stream, streams

SYMBOL = "BTC/USDT"


def enter(desk: Desk, mode: str = "", **fields: Any) -> Command:
    """Ask for 0.01 BTC on the desk's first account; the order is sent where it was accepted."""
    asked = {"symbol": SYMBOL, "side": "buy", "quantity": Decimal("0.01"), **fields}
    principal = asked.pop("principal", desk.principal)
    intent = OrderIntent(account_id=desk.accounts[0].pk, mode=mode, **asked)
    execution = submit(principal=principal, intents=[intent], source="test")
    desk.run_orders()
    return Command.objects.get(execution=execution)


def held(book: str) -> list[str]:
    """The open quantities of a book."""
    rows = Position.objects.open().filter(book=book).order_by("pk")
    return [str(row.quantity) for row in rows]


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """One account at the rehearsal exchange."""
    return make_desk(1)


def test_an_order_without_a_mode_goes_to_its_accounts_book(desk: Desk) -> None:
    command = enter(desk)
    assert (command.order.book, mode_told(command)) == ("rehearsal", {})
    assert len(desk.exchange.orders(desk.keys[0])) == 1


@pytest.mark.parametrize("mode", ["paper", "shadow"])
def test_our_own_fills_never_reach_the_exchange(desk: Desk, mode: str) -> None:
    command = enter(desk, mode)
    order = Order.objects.get()
    assert (order.book, order.state, order.average_price) == (
        mode, "FILLED", Decimal("50000.01")
    )  # fmt: skip
    assert mode_told(command) == {"requested": mode, "effective": mode}
    assert desk.exchange.orders(desk.keys[0]) == []
    assert held(mode) == ["0.00999"]
    assert Deal.objects.get().book == mode


def test_three_books_of_one_account_and_symbol_never_meet(desk: Desk) -> None:
    for mode in ("paper", "shadow", "live"):
        enter(desk, mode)
        desk.settle()
    ids = set(Order.objects.exclude(book="rehearsal").values_list("exchange_order_id", flat=True))
    assert ids == {"1"}  # the first order of each of our own books
    assert [held(book) for book in ("paper", "shadow", "rehearsal", "live")] == [
        ["0.00999"], ["0.00999"], ["0.00999"], []
    ]  # fmt: skip
    assert len(desk.exchange.orders(desk.keys[0])) == 1
    assert [each for stream in streams() for each in check_stream(stream)] == []
    account = Account.objects.get(pk=desk.accounts[0].pk)
    assert account.balance == Decimal(9500)  # only what the exchange was paid
    shadow = Position.objects.get(book="shadow")
    closing.close_position(
        principal=desk.principal, account=account, symbol=SYMBOL, position_id=shadow.pk
    )
    desk.run_orders()
    desk.settle()
    assert [held(book) for book in ("paper", "shadow", "rehearsal")] == [
        ["0.00999"], [], ["0.00999"]
    ]  # fmt: skip
    assert len(desk.exchange.orders(desk.keys[0])) == 1


def test_limits_and_reservations_are_counted_by_book(desk: Desk) -> None:
    set_limits(
        principal=desk.principal,
        scope="account",
        scope_id=desk.accounts[0].pk,
        max_position_value=Decimal(600),
    )
    resting = {"type": "limit", "price": Decimal(49_000)}
    assert enter(desk, "live", **resting).reason_code == ""
    assert enter(desk, "paper", **resting).reason_code == ""
    assert enter(desk, "live").reason_code == "denied_max_position_value"
    assert enter(desk, "shadow").reason_code == ""
    books = Reservation.objects.held().order_by("book").values_list("book", flat=True)
    assert list(books) == ["paper", "rehearsal"]


def test_orders_resting_beside_the_accounts_book_are_followed(desk: Desk) -> None:
    enter(desk, "paper", type="limit", price=Decimal(49_000))
    enter(desk, "shadow", type="limit", price=Decimal(49_000))
    desk.settle()
    desk.exchange.price(SYMBOL, "49000")
    desk.settle()
    states = dict(Order.objects.values_list("book", "state"))
    assert states == {"paper": "FILLED", "shadow": "OPEN"}  # a touch is no trade through
    desk.exchange.price(SYMBOL, "48999.99")
    desk.settle()
    shadow = Order.objects.get(book="shadow")
    assert (shadow.state, shadow.average_price) == ("FILLED", Decimal(49_000))


def test_a_resting_order_of_another_book_is_cancelled_there(desk: Desk) -> None:
    order = enter(desk, "shadow", type="limit", price=Decimal(49_000)).order
    closing.cancel_order(principal=desk.principal, order=order)
    order.refresh_from_db()
    assert order.state == "CANCELED"


@pytest.mark.parametrize("allowed", [False, True])
def test_live_on_an_account_that_is_not_promoted_is_refused_or_becomes_shadow(
    desk: Desk, allowed: bool
) -> None:
    Account.objects.update(book=Book.PAPER)
    command = enter(desk, "live", allow_downgrade=allowed)
    if allowed:
        assert command.order.book == "shadow"
        told = {"requested": "live", "effective": "shadow", "reason": "live_disabled"}
        assert mode_told(command) == told
    else:
        assert (command.state, command.reason_code) == ("DENIED", "live_disabled")
        assert Order.objects.count() == 0
    assert desk.exchange.orders(desk.keys[0]) == []


def test_live_needs_the_right_and_paper_does_not(desk: Desk) -> None:
    Account.objects.update(book=Book.LIVE)
    trader = replace(desk.principal, role=TRADER, key="user:7")
    assert enter(desk, principal=trader).reason_code == "live_not_permitted"
    assert enter(desk, "live", principal=trader).reason_code == "live_not_permitted"
    assert desk.exchange.orders(desk.keys[0]) == []
    downgraded = enter(desk, principal=trader, allow_downgrade=True)
    assert mode_told(downgraded)["reason"] == "live_not_permitted"
    assert enter(desk, "paper", principal=trader).order.book == "paper"
    granted = replace(trader, grants={desk.accounts[0].pk: frozenset({"live"})})
    assert enter(desk, "live", principal=granted).order.book == "live"
    assert Order.objects.get(book="live").state == "FILLED"


def test_shadow_without_a_fresh_quote_is_refused(desk: Desk, settings: Any) -> None:
    enter(desk, "shadow")
    LastPrice.objects.update(at=now() - timedelta(seconds=settings.QUOTE_MAX_AGE_SECONDS))
    silent = {"method": "GET", "path": "/api/v3/ticker/24hr"}
    desk.exchange.call(
        "POST",
        "/_fault",
        {"script": [{"kind": "http_502_before", "times": 9, "match": silent, "params": {}}]},
    )
    for fields in ({}, {"side": "sell", "quantity": None, "reduce_only": True}):
        assert enter(desk, "shadow", **fields).reason_code == "stale_quote"
    assert (held("shadow"), Order.objects.count()) == (["0.00999"], 1)


def test_what_a_demoted_account_has_left_is_followed_and_can_be_closed(desk: Desk) -> None:
    enter(desk, "live", type="limit", price=Decimal(49_000))
    enter(desk)
    desk.settle()
    Account.objects.update(book=Book.SHADOW)
    desk.exchange.price(SYMBOL, "48999")
    desk.settle()
    assert held("rehearsal") == ["0.01998"]
    assert enter(desk, "live").reason_code == "live_disabled"
    position = Position.objects.get()
    account = Account.objects.get()
    closing.close_position(
        principal=desk.principal, account=account, symbol=SYMBOL, position_id=position.pk
    )
    desk.run_orders()
    desk.settle()
    assert held("rehearsal") == []
    assert desk.exchange.held(desk.keys[0], "BTC") == Decimal("0.00000")


def test_a_view_of_an_account_is_never_saved(desk: Desk) -> None:
    account = desk.accounts[0]
    view = account.in_book("paper")
    assert (account.book, view.book, account.in_book("rehearsal") is account) == (
        "rehearsal", "paper", True
    )  # fmt: skip
    with pytest.raises(TypeError):
        view.save()
    assert Account.objects.get().book == "rehearsal"


def test_an_unknown_order_of_a_simulated_book_is_looked_up_there(desk: Desk) -> None:
    order = enter(desk, "paper", type="limit", price=Decimal(49_000)).order
    Order.objects.update(state="UNKNOWN", exchange_order_id="", next_attempt_at="2026-01-01T00:00Z")
    recovery.resolve_unknown()
    order.refresh_from_db()
    assert (order.state, order.exchange_order_id) == ("OPEN", "1")


def test_a_switch_for_live_orders_stops_what_is_really_sent_and_nothing_else(desk: Desk) -> None:
    waiting = submit(
        principal=desk.principal,
        intents=[
            OrderIntent(desk.accounts[0].pk, SYMBOL, "buy", quantity=Decimal("0.01"), mode=mode)
            for mode in ("live", "shadow")
        ],
        source="test",
    )
    engage(principal=desk.principal, scope="organisation", mode="live", reason="test")
    desk.run_orders()
    sent = Order.objects.filter(command__execution=waiting).order_by("pk")
    assert [(order.state, order.error_code) for order in sent] == [
        ("WITHDRAWN", "denied_kill_switch"), ("FILLED", "")
    ]  # fmt: skip
    codes = {mode: enter(desk, mode).reason_code for mode in ("paper", "shadow", "live", "")}
    assert codes == {
        "paper": "", "shadow": "", "live": "denied_kill_switch", "": "denied_kill_switch"
    }  # fmt: skip
    assert desk.exchange.orders(desk.keys[0]) == []


def test_switches_for_one_mode_and_for_all_stand_beside_each_other(desk: Desk) -> None:
    live = engage(principal=desk.principal, scope="organisation", mode="live", reason="a")
    every = engage(principal=desk.principal, scope="organisation", reason="b", level="HALTED")
    assert str(live).endswith(", live orders only")
    assert enter(desk, "paper").reason_code == "denied_kill_switch"
    release(principal=desk.principal, switch=every, confirm="HALTED")
    assert enter(desk, "paper").reason_code == ""
    with pytest.raises(Conflict) as again:
        engage(principal=desk.principal, scope="organisation", mode="live", reason="c")
    assert again.value.code == "already_engaged"
    raised = engage(
        principal=desk.principal, scope="organisation", mode="live", reason="d", level="HALTED"
    )
    assert (raised.pk, raised.level) == (live.pk, "HALTED")
    with pytest.raises(Invalid) as error:
        engage(principal=desk.principal, scope="organisation", mode="demo", reason="e")
    assert list(error.value.fields) == ["mode"]
    assert KillSwitch.objects.count() == 2
