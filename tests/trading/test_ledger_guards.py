"""The guards of commands and imports, each taken out once: the same crash then leaves half a
command, an order that nobody finishes, or a position counted twice.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, connection

from common.clock import now_ms
from common.errors import Conflict
from riskmgmt.models import Reservation
from tests.trading.conftest import Desk
from tests.trading.crashes import Killed, kill_at, killed, unprotected, without_rollback
from tests.trading.test_claiming import queue
from trading import states
from trading.models import Command, Deal, Execution, Order, OrderEvent, Position, TradeCursor
from trading.services import (
    agenda,
    commands,
    fills,
    holdings,
    new_orders,
    quiet_reports,
    reconcile,
)
from trading.services.commands import submit
from trading.services.intents import OrderIntent

GUARD = pytest.mark.parametrize("guarded", [True, False], ids=["with", "without"])
Patch = pytest.MonkeyPatch
QUANTITY, NET = Decimal("0.001"), Decimal("0.000999")


def order_once(desk: Desk) -> Execution:
    """A client's request; the same one each time."""
    intent = OrderIntent(
        account_id=desk.accounts[0].pk, symbol="BTC/USDT", side="buy", quantity=QUANTITY
    )
    return submit(
        principal=desk.principal, intents=[intent], source="api", correlation_id="the-client's-key"
    )


def counts() -> tuple[int, int, int]:
    """Commands, orders and amounts held for them."""
    held = Reservation.objects.held().count()
    return Command.objects.count(), Order.objects.count(), held


@GUARD
def test_one_transaction_keeps_half_a_command_from_being_written(
    make_desk: Callable[..., Desk], monkeypatch: Patch, guarded: bool
) -> None:
    desk = make_desk(1)
    with monkeypatch.context() as patch:
        patch.setattr(new_orders, "reserve", killed)
        if not guarded:
            patch.setattr(commands, "transaction", SimpleNamespace(atomic=without_rollback))
        with pytest.raises(Killed):
            order_once(desk)
    assert counts() == ((0, 0, 0) if guarded else (1, 1, 0))
    order_once(desk)
    assert counts() == ((1, 1, 1) if guarded else (1, 1, 0))


@GUARD
def test_a_stored_command_answers_the_client_that_never_got_its_reply(
    make_desk: Callable[..., Desk], monkeypatch: Patch, guarded: bool
) -> None:
    desk = make_desk(1)
    with monkeypatch.context() as patch:
        kill_at(patch, commands, "after_command_commit")
        with pytest.raises(Killed):
            order_once(desk)
    if guarded:
        assert order_once(desk) == Execution.objects.get()
    else:
        monkeypatch.setattr(commands, "earlier_execution", lambda *_: None)
        with pytest.raises(Conflict):
            order_once(desk)
    assert counts() == (1, 1, 1)


def fill_unseen(desk: Desk) -> Order:
    """A limit order is known to work; then it fills and nobody is there to see it."""
    queue(desk, 1, type="limit", price=Decimal(40_000))
    assert desk.run_orders() == 1
    order = Order.objects.get()
    assert order.state == states.OPEN
    desk.exchange.price("BTC/USDT", "39000")
    return order


def agrees(desk: Desk) -> bool:
    """Whether the ledger says what the exchange holds."""
    position = Position.objects.first()
    return position is not None and position.quantity == desk.exchange.held(desk.keys[0], "BTC")


@GUARD
def test_the_stored_cursor_brings_what_filled_while_nobody_looked(
    make_desk: Callable[..., Desk], monkeypatch: Patch, guarded: bool
) -> None:
    desk = make_desk(1)
    order = fill_unseen(desk)
    if not guarded:
        from_now_on = SimpleNamespace(
            account_id=desk.accounts[0].pk,
            symbol="BTC/USDT",
            since_ms=now_ms() + 1,
            checked_at=None,
            funding_ms=0,
        )
        stored = SimpleNamespace(objects=SimpleNamespace(filter=lambda **_: [from_now_on]))
        monkeypatch.setattr(agenda, "TradeCursor", stored)
    desk.settle()
    order.refresh_from_db()
    assert order.state == (states.FILLED if guarded else states.OPEN)
    assert agrees(desk) == guarded


@GUARD
def test_cursor_deals_and_figures_of_one_import_are_written_together(
    make_desk: Callable[..., Desk], monkeypatch: Patch, guarded: bool
) -> None:
    """The process ends in the middle of the import, with deals and cursor written."""
    desk = make_desk(1)
    order = fill_unseen(desk)
    before = TradeCursor.objects.get().since_ms
    advance = reconcile._advance
    with monkeypatch.context() as patch:

        def advance_and_die(*arguments: Any, **options: Any) -> None:
            advance(*arguments, **options)
            raise Killed

        patch.setattr(reconcile, "_advance", advance_and_die)
        if not guarded:
            patch.setattr(reconcile, "import_report", unprotected(reconcile.import_report))
        with pytest.raises(Killed):
            desk.settle()
    is_unmoved = TradeCursor.objects.get().since_ms == before
    assert (Deal.objects.count(), is_unmoved) == ((0, True) if guarded else (1, is_unmoved))
    desk.settle()
    order.refresh_from_db()
    assert (order.state, Deal.objects.count(), agrees(desk)) == (states.FILLED, 1, True)
    history = list(OrderEvent.objects.order_by("id").values_list("new_state", flat=True))
    known = [states.CREATED, states.SENDING, states.OPEN]
    assert history == ([*known, states.FILLED] if guarded else known)
    assert Reservation.objects.held().exists() != guarded


@GUARD
def test_a_position_is_folded_in_the_transaction_of_its_deal(
    make_desk: Callable[..., Desk], monkeypatch: Patch, guarded: bool
) -> None:
    desk = make_desk(1)
    fill_unseen(desk)
    with monkeypatch.context() as patch:
        kill_at(patch, holdings, "position_fold")
        if not guarded:
            patch.setattr(reconcile, "import_report", unprotected(reconcile.import_report))
        with pytest.raises(Killed):
            desk.settle()
    desk.settle()
    assert Deal.objects.count() == 1
    assert Position.objects.get().quantity == (NET if guarded else 2 * NET)
    assert agrees(desk) == guarded


@contextmanager
def without_unique_trades() -> Iterator[None]:
    """The table of deals without its constraint; it is put back over an empty table."""
    declared = Deal._meta.constraints
    constraint = next(each for each in declared if each.name == "one_deal_per_exchange_trade")
    Deal._meta.constraints = [each for each in declared if each is not constraint]
    try:
        with connection.schema_editor() as editor:
            editor.remove_constraint(Deal, constraint)
        yield
    finally:
        Deal._meta.constraints = declared
        Deal.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Deal, constraint)


def import_again(desk: Desk, monkeypatch: Patch) -> None:
    """The same poll once more, by a process that does not see which trades are deals already."""
    fresh = fills._fresh

    def blind(batch: Any) -> Any:
        nothing = SimpleNamespace(filter=lambda **_: SimpleNamespace(values_list=lambda *_: ()))
        with monkeypatch.context() as patch:
            patch.setattr(fills, "Deal", SimpleNamespace(objects=nothing))
            return fresh(batch)

    with monkeypatch.context() as patch:
        patch.setattr(quiet_reports, "_booked", lambda group: set())
        patch.setattr(fills, "_fresh", blind)
        desk.settle()


@GUARD
def test_a_trade_id_is_a_deal_once_however_often_it_is_imported(
    make_desk: Callable[..., Desk], monkeypatch: Patch, guarded: bool
) -> None:
    """Two guards, one behind the other: an import leaves out what it knows, and the table takes no
    trade id twice.
    """
    desk = make_desk(1)
    fill_unseen(desk)
    desk.settle()
    desk.settle()
    assert (Deal.objects.count(), agrees(desk)) == (1, True)
    if guarded:
        import_again(desk, monkeypatch)
        assert (Deal.objects.count(), agrees(desk)) == (1, True)
        with pytest.raises(IntegrityError):
            Deal.objects.bulk_create([copy_of(Deal.objects.get())])
        return
    with without_unique_trades():
        import_again(desk, monkeypatch)
        assert (Deal.objects.count(), Position.objects.get().quantity) == (2, 2 * NET)


def copy_of(deal: Deal) -> Deal:
    """The same execution as a new row."""
    deal.pk = None
    return deal
