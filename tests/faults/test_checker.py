"""The campaign's checker finds nothing in a true ledger and finds each way of falsifying it."""

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.models import F

from accounts.models import Account, Balance
from events.models import Event
from riskmgmt.models import Reservation
from tests.faults.compare import Findings, compare_orders
from tests.faults.inside import acknowledged, books, history
from tests.faults.inside.check import PREFIX, legs
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading.models import Deal, Order, OrderEvent, Position, Protection

STRANGE = Decimal("0.5")


def judge(desk: Desk) -> set[str]:
    """The kinds of difference the checker finds."""
    findings = Findings()
    accounts = {key: desk.exchange.dump(key) for key in desk.keys}
    compare_orders(legs(), accounts, PREFIX, findings)
    books.compare(accounts, findings)
    history.compare(findings)
    return set(findings.counts)


@pytest.fixture
def traded(make_desk: Callable[..., Desk]) -> Desk:
    """A desk of two accounts that bought, with its ledger up to date."""
    desk = make_desk(2)
    for account, key in zip(desk.accounts, desk.keys, strict=True):
        Account.objects.filter(pk=account.pk).update(name=key)
    send(desk)
    assert desk.run_orders() == 2
    desk.settle()
    assert judge(desk) == set()
    return desk


def _protective(*, quantity: str, state: str) -> None:
    """Let the first account's order be a live protective one, and its position be as told."""
    position = Position.objects.order_by("pk")[0]
    order = Order.objects.create(
        uid=uuid4(),
        organisation_id=position.organisation_id,
        account_id=position.account_id,
        book=position.book,
        position=position,
        symbol=position.symbol,
        side="sell",
        type="stop_loss",
        quantity=quantity,
        reduce_only=True,
        is_protective=True,
        client_order_id="another",
        reason="external",
    )
    OrderEvent.objects.create(order=order, new_state="CREATED", cause="test")
    Protection.objects.create(position=position, state="protected")
    if state == "closed":
        Position.objects.filter(pk=position.pk).update(state="closed", quantity="0")


FALSIFIED: dict[str, tuple[Callable[[], object], set[str]]] = {
    "an-order-lost": (
        lambda: Order.objects.filter(pk=_first()).update(exchange_order_id="", state="NOT_PLACED"),
        {"lost", "deals_wrong", "history_breaks"},
    ),
    "an-order-of-another-id": (
        lambda: Order.objects.filter(pk=_first()).update(exchange_order_id="999"),
        {"lost", "phantom", "deals_wrong"},
    ),
    "a-state": (
        lambda: Order.objects.filter(pk=_first()).update(state="CANCELED"),
        {"order_diff", "history_breaks"},
    ),
    "a-filled-quantity": (
        lambda: Order.objects.filter(pk=_first()).update(filled_quantity=STRANGE),
        {"order_diff"},
    ),
    "a-deal-gone": (
        lambda: Deal.objects.filter(order=_first()).delete(),
        {"deals_missing", "balance_diff"},
    ),
    "a-deal-invented": (
        lambda: Deal.objects.filter(order=_first()).update(exchange_trade_id="999"),
        {"deals_missing", "deals_extra"},
    ),
    "a-price": (
        lambda: Deal.objects.filter(order=_first()).update(price=STRANGE),
        {"deals_wrong", "balance_diff"},
    ),
    "a-position": (
        lambda: Position.objects.update(quantity=STRANGE),
        {"position_diff"},
    ),
    "a-balance": (
        lambda: Balance.objects.filter(currency="USDT").update(free=F("free") + 1),
        {"balance_diff"},
    ),
    "a-reservation": (
        lambda: Reservation.objects.update(released_at=None),
        {"reservations_kept"},
    ),
    "a-history": (
        lambda: OrderEvent.objects.filter(order=_first(), new_state="OPEN").delete(),
        {"history_breaks"},
    ),
    "a-protection-that-is-missing": (
        lambda: Position.objects.update(protection="missing"),
        {"unprotected"},
    ),
    "a-protective-order-of-what-is-gone": (
        lambda: _protective(quantity="0.001", state="closed"),
        {"protection_left", "protection_doubled", "position_diff"},
    ),
    "a-protective-order-of-more-than-is-held": (
        lambda: _protective(quantity="100", state="open"),
        {"protection_doubled"},
    ),
    "an-event": (
        lambda: Event.objects.filter(seq=3).delete(),
        {"event_gaps"},
    ),
}


def _first() -> int:
    return Order.objects.order_by("pk").values_list("pk", flat=True)[0]


@pytest.mark.parametrize("name", FALSIFIED)
def test_a_falsified_ledger_is_found(traded: Desk, name: str) -> None:
    falsify, kinds = FALSIFIED[name]
    falsify()
    assert judge(traded) == kinds


def test_an_acknowledged_answer_without_its_rows_is_found(traded: Desk) -> None:
    told = {
        "kind": "signal", "key": "", "status": 200, "differing": False, "target": "",
        "correlation_id": "never-stored", "legs": [],
    }  # fmt: skip
    findings = Findings()
    acknowledged.compare([told, {**told, "kind": "cancel", "status": 302}], findings)
    acknowledged.compare([{**told, "kind": "terminate"}, {**told, "status": 422}], findings)
    assert dict(findings.counts) == {"acknowledged_missing": 2, "audit_missing": 1}


def test_a_strangers_trade_taken_for_ours_is_found(traded: Desk) -> None:
    traded.exchange.call(
        "POST",
        "/_external",
        {"api_key": traded.keys[0], "symbol": "BTC/USDT", "side": "buy", "quantity": "0.01",
         "type": "MARKET"},
    )  # fmt: skip
    traded.settle()
    assert judge(traded) == set()
    ours = Position.objects.filter(allocated=True).order_by("pk")[0]
    Deal.objects.filter(reason="external").update(position=ours)
    assert judge(traded) == {"external_unknown"}
