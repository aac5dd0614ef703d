"""The dead man's switch, at the rehearsal exchange's USD-M side over real HTTP: kept from going
off while we live, left to go off when we die, stopped when nobody wants it.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.dead_man import set_dead_man
from accounts.models import Account
from common.clock import now
from common.errors import Invalid
from common.principal import Principal
from events.models import AuditRecord
from monitoring.models import Alert
from tests.trading.conftest import Desk
from tests.trading.hedging import Book
from tests.trading.rehearsal import Exchange
from tests.trading.test_futures_end_to_end import SYMBOL, futures_book
from tests.waiting import wait_until
from trading.models import Command, Order, OrderEvent, VenueCountdown
from trading.services import reconcile
from trading.services.cancelling import cancel_order
from trading.services.dead_man import DeadMan
from tradingplatform.lane_life import LaneLife

ROUTE = {"method": "POST", "path": "/fapi/v1/countdownCancelAll"}


@pytest.fixture
def book(principal: Principal, exchange: Exchange, request: pytest.FixtureRequest) -> Book:
    """A contract account with the switch at 60 s."""
    book = futures_book(principal, exchange, request.node.name, ours="netting", is_hedged=False)
    set_dead_man(principal=principal, account=book.account, seconds=60)
    return book


@pytest.fixture
def life() -> Iterator[LaneLife]:
    """The threads of this process's lanes, stopped in the end."""
    running = LaneLife()
    yield running
    running.stop()


def rest(book: Book) -> Order:
    """An order that waits far below the market."""
    order = book.trade("buy", "0.01", type="limit", price=Decimal(40_000))
    assert order.state == "OPEN", order.error_code
    return order


def running(book: Book) -> list[str]:
    """The symbols that the exchange counts down for."""
    return list(book.exchange.dump(book.key)["countdowns"])


def statuses(book: Book) -> list[str]:
    """The account's contract orders at the exchange."""
    return [order["status"] for order in book.exchange.dump(book.key)["futures"]["orders"]]


def beat_until(man: DeadMan, condition: Callable[[], Any], what: str) -> None:
    """Beat on until something holds."""

    def beat_and_look() -> Any:
        man.beat()
        return condition()

    wait_until(beat_and_look, what)


def word() -> str:
    """How the one countdown stands by our own word."""
    return VenueCountdown.objects.get().state


def alerts(code: str) -> list[str]:
    """The states of the alerts of a code."""
    return list(Alert.objects.filter(code=code).values_list("state", flat=True))


def fail(book: Book, kind: str, times: int = 1, **params: Any) -> None:
    """Let the exchange's countdown route suffer a fault."""
    script = [{"match": ROUTE, "kind": kind, "times": times, "params": params}]
    book.exchange.call("POST", "/_fault", {"script": script})


def test_it_runs_while_orders_rest_and_is_stopped_when_none_do(book: Book) -> None:
    man = DeadMan()
    man.beat()
    assert (running(book), VenueCountdown.objects.count()) == ([], 0)
    order = rest(book)
    beat_until(man, lambda: running(book) == [SYMBOL] and word() == "armed", "armed")
    row = VenueCountdown.objects.get()
    assert (row.symbol, row.seconds, row.error, row.is_held_back) == (SYMBOL, 60, "", False)
    cancel_order(principal=book.principal, order=order)
    book.work()
    beat_until(man, lambda: word() == "off", "stopped")
    row.refresh_from_db()
    assert (running(book), row.seconds, row.may_run_until) == ([], 0, None)
    assert Alert.objects.count() == 0


def test_it_is_told_again_after_a_third_of_its_time_and_not_before(book: Book) -> None:
    rest(book)
    man = DeadMan()
    beat_until(man, lambda: word() == "armed", "armed")
    first = VenueCountdown.objects.get()
    assert first.told_at is not None
    assert first.next_at - first.told_at == timedelta(seconds=20)
    man.beat()
    assert VenueCountdown.objects.get().told_at == first.told_at
    VenueCountdown.objects.update(next_at=now())
    beat_until(man, lambda: VenueCountdown.objects.get().told_at != first.told_at, "told again")


def test_silence_cancels_at_the_exchange_and_the_ledger_takes_that_as_its_word(
    book: Book,
) -> None:
    Account.objects.update(dead_man_seconds=4)
    order = rest(book)
    man = DeadMan()
    beat_until(man, lambda: word() == "armed", "armed")
    first_end = VenueCountdown.objects.get().may_run_until
    assert first_end is not None
    beat_until(man, lambda: now() > first_end + timedelta(seconds=1), "lived past the first")
    assert (statuses(book), running(book)) == (["NEW"], [SYMBOL])
    # Nobody beats any more.
    wait_until(lambda: statuses(book) == ["CANCELED"], "cancelled by the exchange")
    reconcile.poll([Account.objects.get()])
    order.refresh_from_db()
    assert (order.state, order.cancel_requested_at) == ("CANCELED", None)
    last = OrderEvent.objects.filter(order=order).latest("id")
    assert (last.cause, last.details["venue_status"]) == ("poll", "canceled")
    assert not Command.objects.filter(kind=Command.Kind.CANCEL_ORDER).exists()
    wait_until(lambda: word() == "off", "known to have run out")
    DeadMan().beat()
    assert VenueCountdown.objects.get().may_run_until is None


def test_an_orderly_end_stops_it(book: Book, life: LaneLife) -> None:
    rest(book)
    life.start(alone=True)
    wait_until(lambda: running(book) == [SYMBOL], "armed by the process's own thread")
    life.stop()
    assert (running(book), statuses(book)) == ([], ["NEW"])
    assert VenueCountdown.objects.get().may_run_until is None


def test_switching_it_off_stops_it(book: Book) -> None:
    rest(book)
    man = DeadMan()
    beat_until(man, lambda: word() == "armed", "armed")
    set_dead_man(principal=book.principal, account=book.account, seconds=0)
    set_dead_man(principal=book.principal, account=book.account, seconds=0)
    beat_until(man, lambda: word() == "off", "stopped")
    assert (running(book), statuses(book)) == ([], ["NEW"])
    told = AuditRecord.objects.filter(action="account.dead_man_set").order_by("pk")
    changes = [(row.before, row.after) for row in told]
    assert changes == [
        ({"dead_man_seconds": 0}, {"dead_man_seconds": 60}),
        ({"dead_man_seconds": 60}, {"dead_man_seconds": 0}),
    ]


def test_a_failure_is_told_at_once_and_ends_with_the_next_success(book: Book) -> None:
    order = rest(book)
    fail(book, "http_502_before")
    man = DeadMan()
    beat_until(man, lambda: word() == "failing", "failed")
    row = VenueCountdown.objects.get()
    assert (row.error, row.failures, row.seconds) == ("exchange_unavailable", 1, 0)
    assert alerts("dead_man_failing") == ["active"]
    message = Alert.objects.get().message
    assert f"account {book.account.pk} could not be started in {SYMBOL}" in message
    assert Alert.objects.get().severity == "critical"
    beat_until(man, lambda: word() == "armed", "armed after all")
    assert alerts("dead_man_failing") == ["resolved"]
    order.refresh_from_db()
    assert order.state == "OPEN"


def test_a_request_that_hangs_holds_no_order_up(book: Book) -> None:
    rest(book)
    fail(book, "hang_before", seconds=30)
    man = DeadMan()
    man.beat()
    assert VenueCountdown.objects.get().may_run_until is not None
    assert book.trade("buy", "0.02").state == "FILLED"
    man.beat()
    # The request is still under way: neither answered nor told again.
    row = VenueCountdown.objects.get()
    assert (row.told_at, row.failures, running(book)) == (None, 0, [])


def test_it_is_held_back_where_a_stop_rests_and_says_so(book: Book) -> None:
    order = rest(book)
    man = DeadMan()
    beat_until(man, lambda: word() == "armed", "armed")
    Order.objects.filter(pk=order.pk).update(type="stop_loss", stop_price=Decimal(40_000))
    beat_until(man, lambda: running(book) == [] and word() == "held_back", "held back")
    assert alerts("dead_man_held_back") == ["active"]
    Order.objects.filter(pk=order.pk).update(type="limit", stop_price=None)
    beat_until(man, lambda: running(book) == [SYMBOL] and word() == "armed", "armed again")
    assert alerts("dead_man_held_back") == ["resolved"]


def test_a_venue_without_one_refuses_the_switch(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    with pytest.raises(Invalid) as error:
        set_dead_man(principal=desk.principal, account=desk.accounts[0], seconds=30)
    assert error.value.code == "dead_man_unavailable"
    assert Account.objects.get().dead_man_seconds == 0
    assert not AuditRecord.objects.filter(action="account.dead_man_set").exists()


@pytest.mark.parametrize("seconds", [1, 9, 121, -1])
def test_a_countdown_out_of_bounds_is_refused(book: Book, seconds: int) -> None:
    with pytest.raises(Invalid) as error:
        set_dead_man(principal=book.principal, account=book.account, seconds=seconds)
    assert error.value.fields == {"seconds": "must be 0, or 10 to 120"}
    assert Account.objects.get().dead_man_seconds == 60
