"""Submissions, imports and the sweep meet in the database; none waits crosswise."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from threading import Event, Thread

import pytest
from django.db import connections, transaction

from accounts.models import Account
from common.clock import now
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from tests.waiting import PATIENCE
from trading.models import Command, Order, TradeCursor
from trading.services import lanes
from trading.services.commands import submit
from trading.services.execution import claim_orders
from trading.services.fills import locked_cursor
from trading.services.intents import OrderIntent
from trading.services.recovery import mark_abandoned
from trading.sizing import RISK_PERCENT, SizeSpec


# SQLite has one writer at a time: there the submission waits for every import.
@pytest.mark.distributed
def test_a_submission_does_not_wait_for_an_import_that_holds_the_cursor(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    send(desk)
    assert TradeCursor.objects.count() == 1
    held, submitted = Event(), Event()

    def import_something() -> None:
        with transaction.atomic():
            cursor = locked_cursor(desk.accounts[0], "BTC/USDT")
            cursor.save()
            held.set()
            submitted.wait(2 * PATIENCE)
            # As the poll does at its end: with the submission waiting, this was a deadlock.
            Account.objects.filter(pk=desk.accounts[0].pk).update(balance="1")
        connections.close_all()

    thread = Thread(target=import_something)
    thread.start()
    assert held.wait(PATIENCE)
    sender = Thread(target=lambda: (send(desk, size="3"), connections.close_all()))
    sender.start()
    sender.join(PATIENCE)
    was_waiting = sender.is_alive()
    submitted.set()
    thread.join()
    sender.join()
    assert not was_waiting
    assert Order.objects.count() == 2


def test_the_first_command_in_a_symbol_makes_it_polled_and_an_unlisted_one_does_not(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    size = SizeSpec(RISK_PERCENT, Decimal(1))
    intents = [
        OrderIntent(account_id=desk.accounts[0].pk, symbol=symbol, side="buy", size=size)
        for symbol in ("BTC/USDT", "NOPE/USDT")
    ]
    submit(principal=desk.principal, intents=intents, source="test")
    refused = Command.objects.exclude(reason_code="").values_list("reason_code", flat=True)
    assert list(refused) == ["unknown_symbol"]
    assert list(TradeCursor.objects.values_list("symbol", flat=True)) == ["BTC/USDT"]


@pytest.mark.distributed
def test_the_sweep_passes_by_an_order_that_an_import_is_writing(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(2)
    send(desk)
    lanes.here.keep()
    claim_orders(list(Order.objects.values_list("pk", flat=True)))
    Order.objects.update(send_deadline=now() - timedelta(seconds=10))
    first, second = Order.objects.order_by("pk")
    held, swept = Event(), Event()

    def write_the_second() -> None:
        with transaction.atomic():
            list(Order.objects.select_for_update(no_key=True).filter(pk=second.pk))
            held.set()
            swept.wait(2 * PATIENCE)
        connections.close_all()

    thread = Thread(target=write_the_second)
    thread.start()
    assert held.wait(PATIENCE)
    sweeper = Thread(target=lambda: (mark_abandoned(), connections.close_all()))
    sweeper.start()
    sweeper.join(PATIENCE)
    was_waiting = sweeper.is_alive()
    swept.set()
    thread.join()
    sweeper.join()
    assert not was_waiting
    states = Order.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["UNKNOWN", "SENDING"]
    mark_abandoned()
    assert list(states.all()) == ["UNKNOWN", "UNKNOWN"]
