"""A latched guard of a group, seen and reset over REST."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from accounts.models import Account
from common.clock import now
from events.models import AuditRecord, Event
from groups.models import Group
from groups.services import create_group
from monitoring.models import Alert
from riskmgmt.group_guards import latch
from riskmgmt.models import GroupGuard
from tests.management.answers import refusal
from tests.management.conftest import Call
from tests.users.people import Person
from trading.services.admission import read_surroundings

SYMBOL = "BTC/USDT"
REASON = {"reason": "the feed was wrong"}


@pytest.fixture
def group(admin: Person, account: Account) -> Group:
    """A group that may lose a quarter."""
    return create_group(
        principal=admin.principal, name="scalpers", account_ids=[account.pk],
        max_drawdown=Decimal(25),
    )  # fmt: skip


def guard_of(group: Group, book: str = "rehearsal", *, is_latched: bool = True) -> GroupGuard:
    """A guard a third below its peak."""
    guard = GroupGuard.objects.create(
        organisation_id=group.organisation_id, group_id=group.pk, book=book, currency="USDT",
        value=Decimal("0.8"), peak=Decimal("1.2"), drawdown=Decimal("33.25"), peak_at=now(),
        line={}, started_at=now(), judged_at=now(),
    )  # fmt: skip
    if is_latched:
        with transaction.atomic():
            latch(guard, group, now())
    return guard


def is_refused(account: Account) -> bool:
    """Whether entries of the account are refused."""
    return account.pk in read_surroundings([account], {SYMBOL})[SYMBOL].latched


def moved() -> tuple[int, int, int]:
    """Resets in the table, in the audit trail and in the log."""
    return (
        GroupGuard.objects.exclude(reset_at=None).count(),
        AuditRecord.objects.filter(action="group_guard.reset").count(),
        Event.objects.filter(kind="group_guard.reset").count(),
    )


def test_a_latched_guard_is_told_and_reset_with_a_reason(
    call: Call, admin: Person, account: Account, group: Group
) -> None:
    guard = guard_of(group)
    (told,) = call("GET", f"/groups/{group.pk}", person=admin).json()["data"]["group"]["guards"]
    assert (told["id"], told["book"], told["currency"]) == (str(guard.pk), "rehearsal", "USDT")
    assert (told["drawdown"], told["max_drawdown"]) == (33.25, 25)
    assert told["latched_at"] is not None
    assert told["judged_at"] is not None
    assert is_refused(account)
    answer = call("POST", f"/groups/{group.pk}/guard/reset", REASON, admin).json()
    assert (answer["success"], answer["message"]) == (True, "Group guard reset")
    reset = answer["data"]["guard"]
    assert (reset["id"], reset["reason"]) == (str(guard.pk), "the feed was wrong")
    assert reset["reset_by"] == admin.principal.key
    assert answer["data"]["group"]["guards"] == []
    assert not is_refused(account)
    assert Alert.objects.get().state == "resolved"
    record = AuditRecord.objects.get(action="group_guard.reset")
    assert (record.target, record.after["reason"]) == (f"group:{group.pk}", "the feed was wrong")
    assert moved() == (1, 1, 1)
    refusal(call("POST", f"/groups/{group.pk}/guard/reset", REASON, admin), 409, "not_latched")
    assert moved() == (1, 1, 1)


def test_of_several_latched_guards_one_is_named(
    call: Call, admin: Person, account: Account, group: Group
) -> None:
    own, paper = guard_of(group), guard_of(group, "paper")
    path = f"/groups/{group.pk}/guard/reset"
    refused = call("POST", path, REASON, admin)
    refusal(refused, 409, "guard_ambiguous")
    assert moved() == (0, 0, 0)
    assert call("POST", path, {**REASON, "guard_id": str(paper.pk)}, admin).status_code == 200
    assert is_refused(account)
    assert call("POST", path, REASON, admin).json()["data"]["guard"]["id"] == str(own.pk)
    assert not is_refused(account)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "validation_error"),
        ({"reason": " "}, 422, "validation_error"),
        ({"reason": "x" * 301}, 422, "validation_error"),
        ({**REASON, "guard_id": "seven"}, 422, "validation_error"),
        ({**REASON, "guard_id": 10**17}, 404, "guard_not_found"),
        ({**REASON, "confirm": "scalpers"}, 422, "validation_error"),
    ],
)
def test_a_reset_that_is_not_acceptable_moves_nothing(
    body: Any, status: int, code: str, call: Call, admin: Person, account: Account, group: Group
) -> None:
    guard_of(group)
    refusal(call("POST", f"/groups/{group.pk}/guard/reset", body, admin), status, code)
    assert moved() == (0, 0, 0)
    assert is_refused(account)


def test_who_may_not_manage_risk_resets_nothing(
    call: Call,
    admin: Person,
    trader: Person,
    viewer: Person,
    stranger: Person,
    account: Account,
    group: Group,
) -> None:
    guard = guard_of(group)
    path = f"/groups/{group.pk}/guard/reset"
    for person in (trader, viewer):
        refusal(call("POST", path, REASON, person), 403, "permission_denied")
    refusal(call("POST", path, REASON, stranger), 404, "group_not_found")
    foreign = create_group(principal=stranger.principal, name="theirs")
    named = {**REASON, "guard_id": guard.pk}
    refusal(
        call("POST", f"/groups/{foreign.pk}/guard/reset", named, stranger), 404, "guard_not_found"
    )
    assert call("POST", path, REASON).status_code == 401
    assert moved() == (0, 0, 0)
    assert is_refused(account)


def test_a_guard_that_is_not_latched_is_not_reset(call: Call, admin: Person, group: Group) -> None:
    guard = guard_of(group, is_latched=False)
    path = f"/groups/{group.pk}/guard/reset"
    for body in (REASON, {**REASON, "guard_id": guard.pk}):
        refusal(call("POST", path, body, admin), 409, "not_latched")
    assert moved() == (0, 0, 0)
