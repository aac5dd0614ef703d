"""A group that has lost too much opens nothing until somebody resets its guard."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Account
from common.clock import now
from common.errors import Conflict, Denied, Invalid, NotFound
from common.principal import TRADER, Principal
from events.consumers import run_consumers
from events.log import publish
from events.models import AuditRecord, Event
from events.sequencer import number_events
from groups.models import Group
from monitoring.models import Alert
from riskmgmt.group_guards import ALERT, reset_guard
from riskmgmt.models import GroupGuard
from tests.properties.ground import make_account, platform_of, twin_of
from trading.models import CashFlow, TransferCursor
from trading.services import group_drawdown
from trading.services.admission import read_surroundings
from trading.services.group_drawdown import judge_group, of_groups
from trading.services.transfers import ASK_EVERY

SYMBOL = "BTC/USDT"


@pytest.fixture
def account(db: None) -> Account:
    """An account of our own book: nothing comes into it unseen."""
    return make_account()


@pytest.fixture
def group(account: Account) -> Group:
    """A group of it that may lose a quarter."""
    made = Group.objects.create(
        organisation_id=account.organisation_id, name="house", max_drawdown=Decimal(25)
    )
    made.accounts.add(account)
    return made


@pytest.fixture
def paper(account: Account) -> Account:
    """The same account on paper."""
    return on_paper(account)


def on_paper(account: Account) -> Account:
    """The account, in the book paper from now on."""
    Account.objects.filter(pk=account.pk).update(book="paper")
    account.refresh_from_db()
    return account


def worth(account: Account, equity: str) -> GroupGuard:
    """Read the account at this equity and judge its group; the guard afterwards."""
    Account.objects.filter(pk=account.pk).update(equity=Decimal(equity), equity_at=now())
    account.refresh_from_db()
    guard = judge_group(account.groups.get(), book=account.book, currency="USD")
    assert guard is not None
    return guard


def is_refused(account: Account) -> bool:
    """Whether the checks see a latched group."""
    around = read_surroundings([account], {SYMBOL})[SYMBOL]
    return account.pk in around.latched


def test_the_guard_latches_at_the_limit_and_tells_everybody(paper: Account, group: Group) -> None:
    worth(paper, "1000000")
    worth(paper, "1200000")
    guard = worth(paper, "900001")
    assert guard.latched_at is None
    assert not is_refused(paper)
    guard = worth(paper, "900000")
    assert guard.latched_at is not None
    assert (guard.value, guard.peak, guard.drawdown, guard.max_drawdown) == (
        Decimal("0.9"), Decimal("1.2"), Decimal(25), Decimal(25)
    )  # fmt: skip
    assert is_refused(paper)
    alert = Alert.objects.get(code=ALERT)
    assert (alert.severity, alert.state, alert.details["drawdown"]) == ("critical", "active", "25")
    record = AuditRecord.objects.get(action="group_guard.latched")
    event = Event.objects.get(kind="group_guard.latched")
    assert record.target == f"group:{group.pk}"
    assert record.after == event.payload
    assert set(event.topics) >= {"risk", f"group:{group.pk}"}
    assert (event.payload["value"], event.payload["peak"]) == ("0.9", "1.2")


def test_a_latched_guard_stays_latched_whatever_comes_later(paper: Account, group: Group) -> None:
    worth(paper, "1000000")
    first = worth(paper, "700000")
    for equity in ("1500000", "100"):
        guard = worth(paper, equity)
        assert (guard.pk, guard.latched_at, guard.value) == (
            first.pk, first.latched_at, Decimal("0.7")
        )  # fmt: skip
    assert Alert.objects.get(code=ALERT).count == 1
    assert AuditRecord.objects.filter(action="group_guard.latched").count() == 1


def test_a_reset_starts_a_new_peak(paper: Account, group: Group) -> None:
    worth(paper, "1000000")
    guard = worth(paper, "700000")
    principal = platform_of(paper)
    reset_guard(principal=principal, guard=guard, confirm="house", reason="looked at")
    assert not is_refused(paper)
    assert Alert.objects.get(code=ALERT).state == "resolved"
    record = AuditRecord.objects.get(action="group_guard.reset")
    assert (record.after["guard_id"], record.after["reason"]) == (guard.pk, "looked at")
    assert Event.objects.filter(kind="group_guard.reset").count() == 1
    fresh = worth(paper, "700000")
    assert (fresh.value, fresh.peak, fresh.latched_at) == (Decimal(1), Decimal(1), None)
    assert worth(paper, "525001").latched_at is None
    assert worth(paper, "525000").latched_at is not None
    assert GroupGuard.objects.filter(group_id=group.pk).count() == 2


def test_who_may_not_or_does_not_mean_it_resets_nothing(paper: Account, group: Group) -> None:
    worth(paper, "1000000")
    guard = worth(paper, "700000")
    principal = platform_of(paper)
    trader = Principal(principal.organisation_id, TRADER, key="t", username="t")
    stranger = platform_of(make_account())
    attempts: list[tuple[Principal, str, str, type[Exception]]] = [
        (trader, "house", "why", Denied),
        (stranger, "house", "why", NotFound),
        (principal, "House", "why", Invalid),
        (principal, "house", " ", Invalid),
    ]
    for who, confirm, reason, error in attempts:
        with pytest.raises(error):
            reset_guard(principal=who, guard=guard, confirm=confirm, reason=reason)
    assert is_refused(paper)
    reset_guard(principal=principal, guard=guard, confirm="house", reason="why")
    with pytest.raises(Conflict) as refused:
        reset_guard(principal=principal, guard=guard, confirm="house", reason="why")
    assert refused.value.code == "not_latched"
    assert AuditRecord.objects.filter(action="group_guard.reset").count() == 1


def test_an_account_that_joins_or_leaves_latches_nothing(paper: Account, group: Group) -> None:
    rich = twin_of(paper, "rich", equity=Decimal(9_000_000))
    worth(paper, "1000000")
    group.accounts.add(rich)
    assert worth(paper, "1000000").drawdown == 0
    assert worth(paper, "1100000").value == Decimal("1.01")
    group.accounts.remove(rich)
    guard = worth(paper, "1100000")
    assert (guard.value, guard.drawdown) == (Decimal("1.01"), Decimal(0))
    group.accounts.add(twin_of(paper, "unread", equity=Decimal(0), equity_at=None))
    assert worth(paper, "1100000").drawdown == 0


def test_books_have_guards_of_their_own(paper: Account, group: Group) -> None:
    other = twin_of(paper, "rehearsing", book="rehearsal", equity=Decimal(1000))
    group.accounts.add(other)
    worth(paper, "1000000")
    worth(other, "1000")
    assert worth(paper, "700000").latched_at is not None
    assert (is_refused(paper), is_refused(other)) == (True, False)


def test_one_who_leaves_a_latched_group_is_free_and_one_who_joins_is_not(
    paper: Account, group: Group
) -> None:
    worth(paper, "1000000")
    worth(paper, "700000")
    other = twin_of(paper, "other")
    group.accounts.remove(paper)
    group.accounts.add(other)
    assert (is_refused(paper), is_refused(other)) == (False, True)


def test_a_withdrawal_that_was_not_told_yet_is_asked_for_and_latches_nothing(
    account: Account, group: Group
) -> None:
    TransferCursor.objects.create(account=account, checked_at=now())
    Account.objects.update(next_poll_at=now() + timedelta(seconds=30))
    worth(account, "1000000")
    guard = worth(account, "400000")
    assert (guard.latched_at, guard.drawdown) == (None, Decimal(60))
    assert guard.suspected_at is not None
    cursor = TransferCursor.objects.get()
    assert now() - cursor.checked_at >= ASK_EVERY
    account.refresh_from_db()
    assert account.next_poll_at is not None
    assert account.next_poll_at <= now()
    tell_withdrawal(account, "-600000")
    guard = worth(account, "400000")
    assert (guard.latched_at, guard.suspected_at, guard.drawdown) == (None, None, Decimal(0))


def tell_withdrawal(account: Account, value: str) -> None:
    """The venue tells of it a moment later, and that this was all."""
    earlier = now() - timedelta(milliseconds=1)
    CashFlow.objects.create(
        organisation_id=account.organisation_id, account=account, book=account.book,
        reason="withdrawal", amount=Decimal(value), value=Decimal(value), currency="USDT",
        exchange_id="w1", executed_at=earlier, equity_before=Decimal(1_000_000),
        read_at=earlier - timedelta(milliseconds=1),
    )  # fmt: skip
    TransferCursor.objects.update(checked_at=now())


@pytest.mark.parametrize("end", ["told", "cannot tell", "silent"])
def test_a_real_loss_latches_once_the_venue_was_asked_or_after_a_minute(
    account: Account, group: Group, end: str
) -> None:
    TransferCursor.objects.create(account=account, checked_at=now())
    worth(account, "1000000")
    assert worth(account, "400000").latched_at is None
    if end == "told":
        TransferCursor.objects.update(checked_at=now())
    elif end == "cannot tell":
        TransferCursor.objects.update(error="not_supported")
    else:
        assert worth(account, "400000").latched_at is None
        GroupGuard.objects.update(suspected_at=now() - group_drawdown.PATIENCE)
    assert worth(account, "400000").latched_at is not None


def test_every_reading_of_a_member_is_judged_and_a_batch_once_per_group(
    paper: Account, group: Group
) -> None:
    other = twin_of(paper, "two")
    outsider = twin_of(paper, "outsider")
    group.accounts.add(other)
    for each in (paper, other, paper, outsider):
        publish(
            "account.synced",
            organisation_id=each.organisation_id,
            topics=(f"account:{each.pk}",),
            payload={"account_id": each.pk},
        )
    number_events()
    events = list(Event.objects.filter(kind="account.synced").order_by("seq"))
    assert of_groups(events) == [events[2]]
    run_consumers()
    assert GroupGuard.objects.get().group_id == group.pk


def test_the_limit_may_be_changed_and_holds_from_the_next_reading(
    paper: Account, group: Group, django_assert_max_num_queries: Callable[..., object]
) -> None:
    worth(paper, "1000000")
    assert worth(paper, "900000").latched_at is None
    Group.objects.update(max_drawdown=Decimal(10))
    with django_assert_max_num_queries(25):
        guard = worth(paper, "900000")
    assert guard.max_drawdown == Decimal(10)
