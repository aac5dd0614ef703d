"""Accounts go from paper to shadow to live by explicit steps, and down again whenever asked."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account, Book, EquityPoint
from common.errors import DomainError
from common.principal import TRADER, VIEWER
from events.models import AuditRecord
from tests.trading.conftest import Desk
from tests.trading.test_modes import enter, held
from trading.models import TradeCursor
from trading.services.promotion import Promoted, change_mode


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """One account at the rehearsal exchange, demoted to paper."""
    desk = make_desk(1)
    Account.objects.update(book=Book.PAPER)
    return desk


def move(desk: Desk, mode: str, **given: Any) -> Promoted:
    asked = {"principal": desk.principal, "confirm": mode, "reason": "it is proven", **given}
    return change_mode(account=desk.accounts[0], mode=mode, **asked)


def refusal(desk: Desk, mode: str, **given: Any) -> str:
    """The code of a refusal, after which nothing has changed."""
    book, records = Account.objects.get().book, AuditRecord.objects.count()
    with pytest.raises(DomainError) as caught:
        move(desk, mode, **given)
    assert (Account.objects.get().book, AuditRecord.objects.count()) == (book, records)
    return caught.value.code


def test_a_promotion_is_one_audited_step_at_a_time(desk: Desk) -> None:
    assert refusal(desk, "live") == "promotion_skips_a_step"
    move(desk, "shadow")
    desk.settle()
    move(desk, "live")
    assert Account.objects.get().book == "rehearsal"
    told = AuditRecord.objects.filter(action="account.mode_changed").order_by("pk")
    assert [(each.before, each.after["book"], each.after["reason"]) for each in told] == [
        ({"book": "paper"}, "shadow", "it is proven"),
        ({"book": "shadow"}, "rehearsal", "it is proven"),
    ]
    assert enter(desk, "live").order.book == "rehearsal"
    assert len(desk.exchange.orders(desk.keys[0])) == 1


def test_the_mode_it_has_changes_nothing(desk: Desk) -> None:
    move(desk, "paper")
    assert AuditRecord.objects.filter(action="account.mode_changed").count() == 0


def test_a_promotion_is_typed_and_says_why(desk: Desk) -> None:
    assert refusal(desk, "shadow", confirm="Shadow") == "confirmation_mismatch"
    assert refusal(desk, "shadow", reason=" ") == "validation_error"
    assert refusal(desk, "real") == "unknown_mode"


def test_a_promotion_needs_the_right_live_and_a_demotion_the_right_to_trade(desk: Desk) -> None:
    trader = replace(desk.principal, role=TRADER, key="user:7")
    assert refusal(desk, "shadow", principal=trader) == "permission_denied"
    granted = replace(trader, grants={desk.accounts[0].pk: frozenset({"live"})})
    move(desk, "shadow", principal=granted)
    viewer = replace(desk.principal, role=VIEWER, key="user:8")
    assert refusal(desk, "paper", principal=viewer) == "permission_denied"
    move(desk, "paper", principal=trader)
    foreign = replace(desk.principal, organisation_id=desk.principal.organisation_id + 1)
    assert refusal(desk, "shadow", principal=foreign) == "account_not_found"


def test_nothing_may_be_open_at_a_promotion(desk: Desk) -> None:
    desk.settle()
    enter(desk)
    assert held("paper") == ["0.00999"]
    assert refusal(desk, "shadow") == "positions_open"
    enter(desk, side="sell", quantity=None, reduce_only=True)
    desk.settle()
    move(desk, "shadow")


def test_an_account_whose_exchange_does_not_answer_is_not_promoted(desk: Desk) -> None:
    Account.objects.update(sync_error="key_refused")
    assert refusal(desk, "shadow") == "account_not_ready"
    Account.objects.update(sync_error="", status="suspended")
    assert refusal(desk, "shadow") == "account_not_ready"


def test_a_demotion_tells_what_stays_open(desk: Desk) -> None:
    Account.objects.update(book=Book.REHEARSAL)
    desk.settle()
    enter(desk)
    enter(desk, type="limit", price=Decimal(49_000))
    left = move(desk, "paper")
    assert (left.open_positions, left.live_orders) == (1, 1)
    after = AuditRecord.objects.get(action="account.mode_changed").after
    assert (after["open_positions"], after["live_orders"]) == (1, 1)


def test_what_it_holds_is_read_anew_before_the_next_entry(desk: Desk) -> None:
    desk.settle()
    move(desk, "shadow")
    assert enter(desk).reason_code == "stale_balance"
    desk.settle()
    assert enter(desk).order.book == "shadow"
    points = EquityPoint.objects.filter(account=desk.accounts[0]).order_by("pk")
    assert list(points.values_list("book", flat=True)) == ["rehearsal", "paper", "shadow"]


def test_trades_from_before_the_first_order_there_are_not_the_ledgers(desk: Desk) -> None:
    desk.settle()
    move(desk, "shadow")
    desk.settle()
    assert enter(desk, type="limit").reason_code == "price_required"
    body = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.05"}
    desk.exchange.call("POST", "/_external", {"api_key": desk.keys[0], **body, "reason": "manual"})
    move(desk, "live")
    assert TradeCursor.objects.count() == 1
    desk.settle()
    assert held("rehearsal") == []
