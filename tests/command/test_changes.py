"""``change_order`` on spot: the order is cancelled, and once that is proven another takes its
place for what is left.
"""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from common.clock import now
from events.consumers import run_consumers
from events.models import Event
from events.sequencer import number_events
from monitoring.models import Alert
from riskmgmt.models import Reservation
from riskmgmt.switches import engage
from tests.command.conftest import SYMBOL, Terminal, buy, command, limit
from tests.trading.crashes import kill_at
from trading import states
from trading.models import Command, Order, Position
from trading.services import cancelling, reconcile
from trading.services.replacing import pursue_changes


@pytest.fixture
def account(terminal: Terminal) -> Account:
    """A netting account."""
    return terminal.account()


def rest(terminal: Terminal, account: Account, **fields: Any) -> Order:
    """A limit buy of 0.03 at 49,000 that rests in the book."""
    (placed,) = terminal.send(limit(account, "0.03", "49000", **fields))
    terminal.work(account)
    order = Order.objects.get(pk=placed["order_id"])
    assert order.state == states.OPEN
    return order


def change(account: Account, order: Order, request_id: str = "", **payload: Any) -> Any:
    """One item."""
    return command("change_order", account, request_id, order_id=order.pk, **payload)


def pursue(*orders: Order) -> None:
    """Let the sweep's stage do what it would do in time."""
    Order.objects.filter(state=states.PENDING_REPLACE).update(next_attempt_at=now())
    pursue_changes()
    for order in orders:
        order.refresh_from_db()


def conclude(account: Account, *orders: Order) -> None:
    """Let the poll tell what the venue knows, and the consumers end what follows from it."""
    reconcile.poll([account])
    number_events()
    run_consumers()
    for order in orders:
        order.refresh_from_db()


def at_venue(terminal: Terminal, account: Account) -> list[tuple[str, str, str]]:
    """Status, price and quantity of the account's orders there, oldest first."""
    rows = terminal.exchange.orders(account.open_secret("api_key"))
    return [
        (row["status"], row["price"], row["quantity"])
        for row in sorted(rows, key=lambda row: int(row["orderId"]))
    ]


def test_price_and_quantity_change_by_an_order_in_its_place(
    terminal: Terminal, account: Account
) -> None:
    order = rest(terminal, account, magic_id=7)
    item = change(account, order, "c1", new_price="49100", new_qty="0.02")
    (result,) = terminal.send(item)
    assert (result["ok"], result["order_id"]) == (True, order.pk)
    order.refresh_from_db()
    assert order.state == states.PENDING_REPLACE
    assert terminal.items("orders/open", account)[0]["status"] == "SUBMITTED"
    pursue(order)
    assert (order.state, order.error_code, order.change_id) == (states.CANCELED, "replaced", None)
    other = Order.objects.get(replaces=order)
    assert (other.state, str(other.price), str(other.quantity)) == ("CREATED", "49100", "0.02")
    assert (other.magic_id, other.command_id) == (7, result["command_id"])
    assert other.client_order_id != order.client_order_id
    terminal.work(account)
    assert at_venue(terminal, account) == [
        ("CANCELED", "49000", "0.03"),
        ("NEW", "49100", "0.02"),
    ]
    assert terminal.send(item) == [result]
    assert Order.objects.count() == 2
    held = Reservation.objects.held().get()
    assert (held.order_uid, held.notional) == (other.uid, Decimal("982"))
    assert terminal.items("orders/open", account)[0]["replaces"] == order.pk
    told = Event.objects.get(kind="order.created", payload__order_id=other.pk).payload
    assert (told["replaces_id"], told["price"], told["stop_price"]) == (order.pk, "49100", None)
    (late,) = terminal.send(command("cancel_order", account, order_id=order.pk))
    assert late["error"]["details"] == {"state": "CANCELED", "replaced_by": other.pk}


def test_while_a_change_is_under_way_the_larger_value_is_held(
    terminal: Terminal, account: Account
) -> None:
    order = rest(terminal, account)
    terminal.send(change(account, order, new_qty="0.05"))
    assert Reservation.objects.held().get().notional == Decimal("2450")


def test_what_is_filled_before_the_cancel_is_counted(terminal: Terminal, account: Account) -> None:
    terminal.exchange.fault("partial_parts", n=3, over_ticks=True)
    (placed,) = terminal.send(limit(account, "0.03", "50000"))
    terminal.work(account)
    order = Order.objects.get(pk=placed["order_id"])
    assert (order.state, str(order.filled_quantity)) == (states.PARTIAL, "0.01")
    terminal.send(change(account, order, new_qty="0.05", new_price="49500"))
    terminal.exchange.price(SYMBOL, "50000")  # the second part, that nobody has told us of
    pursue(order)
    assert (order.state, Order.objects.count()) == (states.PENDING_REPLACE, 1)
    conclude(account, order)
    assert (order.state, str(order.filled_quantity)) == (states.CANCELED, "0.02")
    other = Order.objects.get(replaces=order)
    assert (str(other.quantity), str(other.price)) == ("0.03", "49500")
    terminal.work(account)
    terminal.exchange.price(SYMBOL, "49400")
    terminal.work(account)
    assert str(terminal.position(account).entered_quantity) == "0.04995"  # 0.1 % in coins
    assert Alert.objects.count() == 0


def test_an_order_that_was_filled_first_is_not_replaced(
    terminal: Terminal, account: Account
) -> None:
    order = rest(terminal, account)
    terminal.send(change(account, order, new_price="49100"))
    terminal.exchange.price(SYMBOL, "48900")
    pursue(order)
    conclude(account, order)
    assert (order.state, order.error_code) == (states.FILLED, "already_filled")
    assert Order.objects.count() == 1
    (late,) = terminal.send(change(account, order, new_price="49200"))
    assert late["error"]["code"] == "invalid_order_state"
    assert late["error"]["reason"] == "order_finished"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "nothing_to_change"),
        ({"new_price": "49000"}, "nothing_to_change"),
        ({"new_price": "49000.001"}, "off_precision"),
        ({"new_qty": "0.0300001"}, "off_precision"),
        ({"new_qty": "0.00001"}, "below_min_notional"),
        ({"new_qty": "0"}, "validation_error"),
        ({"new_price": "NaN"}, "validation_error"),
        ({"price": "49100"}, "validation_error"),
        ({"new_price": "60000"}, "risk_blocked"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_nothing_moves(
    terminal: Terminal, account: Account, payload: dict[str, Any], code: str
) -> None:
    order = rest(terminal, account)
    (result,) = terminal.send(change(account, order, **payload))
    assert (result["ok"], result["error"]["code"]) == (False, code)
    before = order.version
    pursue(order)
    assert (order.state, order.version, order.change_id) == (states.OPEN, before, None)
    assert at_venue(terminal, account) == [("NEW", "49000", "0.03")]
    assert Reservation.objects.held().get().notional == Decimal("1470")


def test_an_order_not_yet_sent_and_one_under_change_are_not_mutable(
    terminal: Terminal, account: Account
) -> None:
    (placed,) = terminal.send(limit(account, "0.03", "49000"))
    order = Order.objects.get(pk=placed["order_id"])
    (early,) = terminal.send(change(account, order, new_price="49100"))
    assert (early["error"]["reason"], early["error"]["details"]) == (
        "order_not_mutable",
        {"state": "CREATED"},
    )
    terminal.work(account)
    first, second = terminal.send(
        change(account, order, new_price="49100"), change(account, order, new_price="49200")
    )
    assert first["ok"]
    assert second["error"]["reason"] == "order_not_mutable"


def test_the_kill_switch_stops_a_change_before_it_begins_and_before_it_leaves(
    terminal: Terminal, account: Account
) -> None:
    order, other = rest(terminal, account), rest(terminal, account)
    terminal.send(change(account, order, new_price="49100"))
    principal = terminal.person.principal
    engage(principal=principal, scope="organisation", level="REDUCING", reason="drill")
    (late,) = terminal.send(change(account, other, new_price="49100"))
    assert late["error"]["reason"] == "denied_kill_switch"
    pursue(order)
    assert (order.state, order.error_code) == (states.OPEN, "denied_kill_switch")
    assert [row[0] for row in at_venue(terminal, account)] == ["NEW", "NEW"]


def test_a_cancel_that_comes_after_ends_the_change_too(
    terminal: Terminal, account: Account
) -> None:
    order = rest(terminal, account)
    terminal.send(
        change(account, order, new_price="49100"),
        command("cancel_order", account, order_id=order.pk),
    )
    pursue(order)
    assert order.state == states.PENDING_CANCEL
    cancelling.pursue_due()
    order.refresh_from_db()
    assert (order.state, Order.objects.count()) == (states.CANCELED, 1)


@pytest.mark.parametrize("kind", ["e1001_before", "rst_after", "hang_after"])
def test_a_cancel_without_an_answer_is_looked_at_and_repeated(
    terminal: Terminal, account: Account, kind: str, settings: Any
) -> None:
    settings.EXCHANGE_TIMEOUT_MS = 700
    order = rest(terminal, account)
    terminal.send(change(account, order, new_price="49100"))
    rule = {"match": {"method": "DELETE", "path": "/api/v3/order"}, "kind": kind, "times": 1}
    terminal.exchange.call("POST", "/_fault", {"script": [{**rule, "params": {"seconds": 2}}]})
    pursue(order)
    pursue(order)
    assert order.state == states.CANCELED
    assert Order.objects.get(replaces=order).state == states.CREATED


@pytest.mark.parametrize("point", ["before_cancel", "cancel_in_flight"])
def test_a_change_cut_short_is_carried_out_by_the_next_sweep(
    terminal: Terminal, account: Account, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    order = rest(terminal, account)
    terminal.send(change(account, order, new_price="49100"))
    with monkeypatch.context() as patch:
        kill_at(patch, cancelling, point)
        pursue(order)
    assert Order.objects.count() == 1
    pursue(order)
    terminal.work(account)
    assert [row[:2] for row in at_venue(terminal, account)] == [
        ("CANCELED", "49000"),
        ("NEW", "49100"),
    ]


def test_a_poll_that_finds_the_order_gone_first_leaves_the_rest_to_the_consumer(
    terminal: Terminal, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = rest(terminal, account)
    terminal.send(change(account, order, new_price="49100"))
    with monkeypatch.context() as patch:
        kill_at(patch, cancelling, "cancel_in_flight")
        pursue(order)
    reconcile.poll([account])
    order.refresh_from_db()
    assert (order.state, order.change_id is None) == (states.CANCELED, False)
    for _ in range(2):
        number_events()
        run_consumers()
    assert Order.objects.get(replaces=order).state == states.CREATED
    order.refresh_from_db()
    assert order.error_code == "replaced"


def test_an_order_that_somebody_else_ended_is_not_placed_again(
    terminal: Terminal, account: Account
) -> None:
    order = rest(terminal, account)
    terminal.send(change(account, order, new_price="49100"))
    key = account.open_secret("api_key")
    terminal.exchange.call(
        "POST",
        "/_cancel",
        {
            "api_key": key,
            "order_id": int(order.exchange_order_id),
            "symbol": SYMBOL,
            "status": "CANCELED",
        },
    )
    conclude(account, order)
    assert (order.state, order.error_code) == (states.CANCELED, "ended_before_change")
    assert Order.objects.count() == 1


def test_a_place_that_is_not_taken_again_is_reported(terminal: Terminal, account: Account) -> None:
    order = rest(terminal, account)
    terminal.send(change(account, order, new_price="49100"))
    pursue(order)
    terminal.exchange.fault("refuse_balance")
    terminal.work(account)
    number_events()
    run_consumers()
    other = Order.objects.get(replaces=order)
    assert other.state == states.REJECTED
    alert = Alert.objects.get(code="replace_failed")
    assert (alert.severity, str(other.pk) in alert.message) == ("critical", True)


def test_a_limit_close_changes_its_price_and_keeps_its_position(
    terminal: Terminal, account: Account
) -> None:
    terminal.send(buy(account, "0.03"))
    terminal.work(account)
    position = terminal.position(account)
    close = {"position_id": position.pk, "order_type": "limit", "price": "51000"}
    (placed,) = terminal.send(command("close_position", account, **close))
    terminal.work(account)
    order = Order.objects.get(pk=placed["order_id"])
    (more,) = terminal.send(change(account, order, new_qty="0.04"))
    assert more["error"]["code"] == "quantity_above_position"
    terminal.send(change(account, order, new_price="50500"))
    (running,) = terminal.send(command("close_position", account, position_id=position.pk))
    assert running["error"]["code"] == "position_close_in_progress"
    pursue(order)
    terminal.work(account)
    terminal.exchange.price(SYMBOL, "50600")
    terminal.work(account)
    other = Order.objects.get(replaces=order)
    assert (other.state, other.position_id) == (states.FILLED, position.pk)
    assert Position.objects.get(pk=position.pk).exit_price == Decimal("50500")


def test_rights_are_needed_and_a_repeat_with_another_wish_is_told(
    terminal: Terminal, account: Account
) -> None:
    order = rest(terminal, account)
    terminal.send(change(account, order, "c", new_price="49100"))
    (other,) = terminal.send(change(account, order, "c", new_price="49200"))
    assert other["error"]["code"] == "idempotency_mismatch"
    (missing,) = terminal.send(command("change_order", account, order_id=10**9, new_qty="1"))
    assert missing["error"]["code"] == "order_not_found"
    assert Command.objects.filter(kind="change_order").count() == 1
