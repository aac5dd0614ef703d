"""The same key from several requests at the same moment."""

import threading
from collections.abc import Callable
from decimal import Decimal

from django.db import connection

from accounts.models import Account
from common.errors import Conflict
from tests.orders.conftest import SYMBOL, Desk
from trading.models import Command, Order
from trading.services.placing import NewOrder, place_at, place_order

ORDER = NewOrder(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(49000))
CALLERS = 6


def at_once(work: Callable[[], str]) -> list[str]:
    """What each of several threads that start together is told."""
    told: list[str] = []
    start = threading.Barrier(CALLERS)

    def call() -> None:
        try:
            start.wait()
            told.append(work())
        except Conflict as error:
            told.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_one_key_is_one_order_however_many_ask_at_once(desk: Desk, worker: None) -> None:
    account = desk.account()

    def place() -> str:
        placed = place_order(
            principal=desk.person.principal,
            account=account,
            order=ORDER,
            source="test",
            idempotency_key="click-1",
        )
        assert placed.order is not None
        return str(placed.order.pk)

    told = at_once(place)
    order = Order.objects.get()
    assert len(told) == CALLERS
    assert set(told) <= {str(order.pk), "order_in_progress"}
    assert str(order.pk) in told
    assert Command.objects.count() == 1


def test_first_paper_orders_at_once_open_one_account(desk: Desk, worker: None) -> None:
    def place() -> str:
        placed = place_at(
            principal=desk.person.principal, venue="paper", order=ORDER, source="test"
        )
        return str(placed.command.account_id)

    told = at_once(place)
    assert set(told) == {str(Account.objects.get().pk)}
    assert Command.objects.count() == CALLERS
