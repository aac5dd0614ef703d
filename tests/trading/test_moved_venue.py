"""A venue that moved: no key is used at an address that nobody confirmed for the account, not for
cancels and look-ups either, and the operator sees why.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.conf import LazySettings

from accounts.models import Account
from accounts.services import set_status
from common.clock import now
from exchanges import gateway
from monitoring.models import Alert
from tests.trading.conftest import Desk
from tests.trading.hedging import Book
from tests.trading.rehearsal import Exchange
from trading.models import Order
from trading.services import recovery, replacing
from trading.services.cancelling import cancel_order
from trading.services.changing import request_change

# The same exchange by another name: whatever the platform sent there would be done.
ELSEWHERE = "http://localhost:"


@pytest.fixture
def move(exchange: Exchange, settings: LazySettings) -> Callable[[], None]:
    """Lets the platform come up again with the venue at another address."""

    def move() -> None:
        url = ELSEWHERE + exchange.url.rsplit(":", 1)[1]
        settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": url}}
        gateway.shutdown()

    return move


@pytest.fixture
def book(make_desk: Callable[..., Desk]) -> Book:
    """One account with 10,000 USDT."""
    desk = make_desk(1)
    return Book(desk.principal, desk.exchange, desk.accounts[0], desk.keys[0])


def at_the_exchange(book: Book) -> list[str]:
    """The statuses of the account's orders there."""
    return [order["status"] for order in book.exchange.orders(book.key)]


def suspension() -> tuple[str, str, list[str]]:
    """What the operator sees of the account."""
    account = Account.objects.get()
    alerts = Alert.objects.filter(code="account_suspended").values_list("message", flat=True)
    return account.status, account.status_reason, list(alerts)


def assert_told(book: Book) -> None:
    """The account is suspended with the reason, and an alert says what to do."""
    message = (
        "Its venue's address changed and nobody has confirmed it: activate the account. "
        f"Account {book.account.pk} was suspended."
    )
    assert suspension() == ("suspended", "venue_address_changed", [message])


def due() -> None:
    """Let the sweep come to every order now."""
    Order.objects.exclude(next_attempt_at=None).update(next_attempt_at=now())


def test_a_cancel_waits_until_somebody_confirms_the_address(
    book: Book, move: Callable[[], None]
) -> None:
    order = book.trade("buy", "0.01", type="limit", price=Decimal(40_000))
    assert at_the_exchange(book) == ["NEW"]
    move()
    cancel_order(principal=book.principal, order=order)
    due()
    recovery.pursue_due()
    order.refresh_from_db()
    assert (order.state, at_the_exchange(book)) == ("PENDING_CANCEL", ["NEW"])
    assert_told(book)
    set_status(principal=book.principal, account=book.account, status="active")
    due()
    recovery.pursue_due()
    order.refresh_from_db()
    assert (order.state, at_the_exchange(book)) == ("CANCELED", ["CANCELED"])


def test_an_order_in_doubt_is_not_looked_up_at_another_address(
    book: Book, move: Callable[[], None]
) -> None:
    book.exchange.fault("rst_after")
    order = book.ask("buy", "0.01", type="limit", price=Decimal(40_000))
    assert isinstance(order, Order)
    book.work()
    order.refresh_from_db()
    assert (order.state, at_the_exchange(book)) == ("UNKNOWN", ["NEW"])
    move()
    due()
    recovery.resolve_unknown()
    order.refresh_from_db()
    assert order.state == "UNKNOWN"
    assert_told(book)
    set_status(principal=book.principal, account=book.account, status="active")
    due()
    recovery.resolve_unknown()
    order.refresh_from_db()
    assert order.state == "OPEN"


def test_a_change_under_way_is_not_pursued_at_another_address(
    book: Book, move: Callable[[], None]
) -> None:
    order = book.trade("buy", "0.01", type="limit", price=Decimal(40_000))
    order = Order.objects.select_related("account", "command").get(pk=order.pk)
    request_change(principal=book.principal, order=order, new_price=Decimal(41_000))
    move()
    due()
    replacing.pursue_changes()
    order.refresh_from_db()
    assert (order.state, at_the_exchange(book)) == ("PENDING_REPLACE", ["NEW"])
    assert_told(book)
