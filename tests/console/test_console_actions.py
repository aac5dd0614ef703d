"""Acts of the console: shown first, typed, counted, through the services."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.models import Account
from common.errors import Conflict
from events.models import AuditRecord
from monitoring.alerts import raise_alert
from riskmgmt.models import KillSwitch
from surfaces.console import accounts as account_pages
from surfaces.console import trading as trading_pages
from tests.dashboard.world import World, make_account
from trading.models import ExternalPosition, Order, Position, TradeCursor
from trading.services.closing import TerminateResult
from users.models import ApiKey

REQUEST_ID = "0123456789abcdef0123456789abcdef"


def act(
    client: Client, model: str, name: str, rows: list[Any], **form: str
) -> tuple[Any, list[str]]:
    """Run an action; the answer and the messages."""
    body = {"action": name, ACTION_CHECKBOX_NAME: [row.pk for row in rows], **form}
    answer = client.post(reverse(f"admin:{model}_changelist"), body)
    return answer, [str(message) for message in get_messages(answer.wsgi_request)]


def confirmed(**form: str) -> dict[str, str]:
    """What the confirmation page adds."""
    return {"confirmed": "yes", "request_id": REQUEST_ID, **form}


def test_suspending_is_shown_then_typed_then_counted(staff: Client, world: World) -> None:
    rows = world.accounts
    shown, _ = act(staff, "accounts_account", "suspend_accounts", rows)
    assert shown.status_code == 200
    assert b"suspend 2" in shown.content
    assert not Account.objects.filter(status="suspended").exists()
    wrong, _ = act(
        staff,
        "accounts_account",
        "suspend_accounts",
        rows,
        **confirmed(confirm="suspend", reason="drill"),
    )
    assert b"Nothing was done" in wrong.content
    assert not Account.objects.filter(status="suspended").exists()
    _, told = act(
        staff,
        "accounts_account",
        "suspend_accounts",
        rows,
        **confirmed(confirm="suspend 2", reason="drill"),
    )
    assert told[-1] == "Suspend accounts: 2 of 2 done"
    assert set(Account.objects.values_list("status", "status_reason")) == {("suspended", "drill")}
    assert AuditRecord.objects.filter(action="account.status_changed").count() == 2


def test_foreign_rows_cannot_be_slipped_into_an_action(
    staff: Client, world: World, foreign: World
) -> None:
    act(
        staff,
        "accounts_account",
        "suspend_accounts",
        [world.accounts[0], foreign.accounts[0]],
        **confirmed(confirm="suspend 1", reason="drill"),
    )
    foreign.accounts[0].refresh_from_db()
    assert foreign.accounts[0].status == "active"
    world.accounts[0].refresh_from_db()
    assert world.accounts[0].status == "suspended"


def test_close_and_cancel_hand_over_a_request_id_and_count_refusals(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def close_position(**values: Any) -> None:
        asked.append(values)

    def cancel_order(**values: Any) -> None:
        asked.append(values)
        raise Conflict("The order is finished.", code="order_finished")

    monkeypatch.setattr(trading_pages.closing, "close_position", close_position)
    monkeypatch.setattr(trading_pages.closing, "cancel_order", cancel_order)
    position, order = Position.objects.get(), Order.objects.get(state="OPEN")
    _, told = act(
        staff, "trading_position", "close_positions", [position], **confirmed(confirm="close 1")
    )
    assert told[-1] == "Close positions: 1 of 1 done"
    assert asked[0]["request_id"] == f"{REQUEST_ID}-{position.pk}"
    _, told = act(staff, "trading_order", "cancel_orders", [order], **confirmed(confirm="cancel 1"))
    assert told[-1].startswith("Cancel orders: 0 of 1 done, 1 refused.")
    assert "order_finished" in told[-1]


def test_viewer_is_offered_no_act(world: World) -> None:
    world.user.role = "viewer"
    world.user.save()
    client = Client()
    client.force_login(world.user)
    act(
        client,
        "trading_position",
        "close_positions",
        [Position.objects.get()],
        **confirmed(confirm="close 1"),
    )
    act(
        client,
        "accounts_account",
        "suspend_accounts",
        world.accounts,
        **confirmed(confirm="suspend 2", reason="x"),
    )
    assert not Account.objects.filter(status="suspended").exists()


def test_switch_is_engaged_by_form_and_released_by_action(staff: Client, world: World) -> None:
    page = reverse("admin:riskmgmt_killswitch_add")
    form = {
        "organisation": world.organisation.pk,
        "scope": "organisation",
        "level": "HALTED",
        "reason": "drill",
    }
    assert staff.post(page, {**form, "confirm": "yes"}).status_code == 422
    assert staff.post(page, {**form, "confirm": "HALTED"}).status_code == 302
    switch = KillSwitch.objects.get()
    assert (switch.scope_id, switch.level) == (world.organisation.pk, "HALTED")
    _, told = act(
        staff, "riskmgmt_killswitch", "release_switches", [switch], **confirmed(confirm="release 1")
    )
    assert told[-1] == "Release kill switches: 1 of 1 done"
    assert not KillSwitch.objects.engaged().exists()


def test_global_switch_is_not_for_an_organisation(staff: Client, world: World) -> None:
    answer = staff.post(
        reverse("admin:riskmgmt_killswitch_add"),
        {
            "organisation": world.organisation.pk,
            "scope": "global",
            "level": "HALTED",
            "reason": "x",
            "confirm": "HALTED",
        },
    )
    assert answer.status_code == 422
    assert not KillSwitch.objects.exists()


def test_switch_on_a_foreign_account_is_refused(
    staff: Client, world: World, foreign: World
) -> None:
    answer = staff.post(
        reverse("admin:riskmgmt_killswitch_add"),
        {
            "organisation": world.organisation.pk,
            "scope": "account",
            "level": "HALTED",
            "account": foreign.accounts[0].pk,
            "reason": "x",
            "confirm": "HALTED",
        },
    )
    assert answer.status_code == 422
    assert not KillSwitch.objects.exists()


def test_bots_are_paused_without_typing_and_stopped_with(staff: Client, world: World) -> None:
    _, told = act(staff, "bots_bot", "pause_bots", [world.bot], **confirmed())
    assert told[-1] == "Pause bots: 1 of 1 done"
    act(staff, "bots_bot", "stop_bots", [world.bot], **confirmed())
    world.bot.refresh_from_db()
    assert world.bot.status == "PAUSED"
    act(staff, "bots_bot", "stop_bots", [world.bot], **confirmed(confirm="stop 1"))
    world.bot.refresh_from_db()
    assert world.bot.status == "STOPPED"


def test_key_is_revoked_once_and_alert_settled(staff: Client, world: World) -> None:
    key = ApiKey.objects.get()
    for expected in ("1 of 1 done", "0 of 1 done, 1 refused"):
        _, told = act(staff, "users_apikey", "revoke_keys", [key], **confirmed(confirm="revoke 1"))
        assert expected in told[-1]
    key.refresh_from_db()
    assert key.revoked_at is not None
    alert = raise_alert("x", message="m", organisation_id=world.organisation.pk)
    act(staff, "monitoring_alert", "resolve_alerts", [alert], **confirmed())
    alert.refresh_from_db()
    assert alert.state == "resolved"
    assert AuditRecord.objects.filter(action="alert.resolved").count() == 1
    _, told = act(staff, "monitoring_alert", "resolve_alerts", [alert], **confirmed())
    assert "0 of 1 done, 1 refused. warning x: The alert was settled already." in told[-1]


def test_an_accepted_difference_lets_entries_pass_again(staff: Client, world: World) -> None:
    cursor = TradeCursor.objects.create(
        account=world.accounts[0],
        symbol="BTC/USDT",
        mismatch="the wallet lacks 1 BTC",
        mismatch_count=2,
    )
    _, told = act(
        staff, "trading_tradecursor", "accept_mismatches", [cursor],
        **confirmed(confirm="accept 1"),
    )  # fmt: skip
    assert told[-1] == "Accept the differences: 1 of 1 done"
    cursor.refresh_from_db()
    assert (cursor.blocks_entries, cursor.accepted_mismatch) == (False, "the wallet lacks 1 BTC")
    assert AuditRecord.objects.filter(action="ledger.mismatch_accepted").count() == 1


def test_moving_an_account_to_a_mode_is_typed_and_audited(staff: Client, world: World) -> None:
    account = world.accounts[0]
    name, rows = "accounts_account", [account]
    shown, _ = act(staff, name, "move_to_shadow", rows)
    assert b"shadow" in shown.content
    wrong = confirmed(confirm="move 1", reason="drill")
    act(staff, name, "move_to_shadow", rows, **wrong)
    account.refresh_from_db()
    assert account.book == "rehearsal"
    typed = confirmed(confirm="shadow", reason="drill")
    _, told = act(staff, name, "move_to_shadow", rows, **typed)
    account.refresh_from_db()
    assert (told[-1], account.book) == ("Move accounts to shadow: 1 of 1 done", "shadow")
    record = AuditRecord.objects.get(action="account.mode_changed")
    assert record.after["reason"] == "drill"
    Position.objects.filter(account=account).update(book="shadow")
    typed = confirmed(confirm="live", reason="drill")
    _, told = act(staff, name, "move_to_live", rows, **typed)
    account.refresh_from_db()
    assert "(positions_open)" in told[-1]
    assert account.book == "shadow"


def test_the_inbox_shows_what_adopting_would_do_and_takes_a_typed_word(
    staff: Client, world: World
) -> None:
    account = world.accounts[0]
    external = ExternalPosition.objects.create(
        organisation_id=account.organisation_id, account=account, book=account.book,
        symbol="ETH/USDT", side="buy", quantity=Decimal(2), average_price=Decimal(3000),
        allocated=False, external_order_id="77",
    )  # fmt: skip
    name, rows = "trading_externalposition", [external]
    listed = staff.get(reverse("admin:trading_externalposition_changelist"))
    assert b"ETH/USDT" in listed.content
    shown, _ = act(staff, name, "adopt_positions", rows)
    assert "own position: none → buy 2 @ 3000" in shown.content.decode()
    flat, _ = act(staff, name, "flatten_positions", rows)
    assert "sell 2 ETH/USDT at market" in flat.content.decode()
    wrong = confirmed(confirm="adopt", reason="mine")
    act(staff, name, "adopt_positions", rows, **wrong)
    typed = confirmed(confirm="ignore 1", reason="a deposit")
    _, told = act(staff, name, "ignore_positions", rows, **typed)
    assert told[-1] == "Leave as they are: 1 of 1 done"
    typed = confirmed(confirm="assign 1", reason="9000000 bot")
    _, told = act(staff, name, "assign_positions", rows, **typed)
    assert "(unknown_owner)" in told[-1]
    external.refresh_from_db()
    assert (external.state, external.is_waiting) == ("open", False)
    typed = confirmed(confirm="adopt 1", reason="mine")
    _, told = act(staff, name, "adopt_positions", rows, **typed)
    assert told[-1] == "Adopt: 1 of 1 done"
    own = Position.objects.open().get(symbol="ETH/USDT")
    assert (own.allocated, own.quantity, own.average_price) == (True, Decimal(2), Decimal(3000))
    assert AuditRecord.objects.filter(action__startswith="external.").count() == 2


def test_what_does_not_go_is_told_row_by_row_and_the_others_go_on(
    staff: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*world.accounts, make_account(world, "third")]
    numbers = [row.pk for row in rows]

    def set_status(*, account: Account, **values: Any) -> None:
        if account.pk == numbers[0]:
            raise RuntimeError("secret detail")
        if account.pk == numbers[1]:
            raise Conflict("It is busy.", code="account_busy")

    monkeypatch.setattr(account_pages.services, "set_status", set_status)
    form = confirmed(confirm="suspend 3", reason="drill")
    answer, told = act(staff, "accounts_account", "suspend_accounts", rows, **form)
    assert told[-1].startswith("Suspend accounts: 1 of 3 done, 1 refused, 1 failed. ")
    text = answer.content.decode()
    for row in rows:
        assert f"<td>#{row.pk} {row}</td>" in text
    assert "It is busy. (account_busy)" in text
    assert "failed unexpectedly: see the log" in text
    assert "secret detail" not in text
    record = AuditRecord.objects.get(action="console.account.acted")
    assert record.organisation_id == world.organisation.pk
    assert record.target == "account:suspend_accounts"
    assert record.after == {
        "reason": "drill",
        "done": [numbers[2]],
        "refused": {str(numbers[1]): "account_busy"},
        "failed": [numbers[0]],
    }


def test_terminating_tells_what_could_not_be_ended(
    staff: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = world.accounts[0]
    left = [{"symbol": "BTC/USDT", "code": "venue_disabled", "quantity": "1"}]
    results = [TerminateResult(2, 3), TerminateResult(1, 0, errors=left)]
    monkeypatch.setattr(account_pages.closing, "terminate_account", lambda **values: results.pop(0))
    form = confirmed(confirm="terminate 1")
    answer, told = act(staff, "accounts_account", "terminate_accounts", [account], **form)
    assert told[-1] == "Terminate accounts: 1 of 1 done"
    assert b"3 orders cancelled, 2 positions told to close" in answer.content
    _, told = act(staff, "accounts_account", "terminate_accounts", [account], **form)
    assert "0 of 1 done, 1 refused" in told[-1]
    assert "symbol BTC/USDT code venue_disabled quantity 1" in told[-1]


def test_every_act_on_many_rows_asks_first() -> None:
    bare = [
        f"{model._meta.label}.{getattr(each, '__name__', each)}"
        for model, owner in admin.site._registry.items()
        for each in owner.actions or ()
        if not getattr(each, "is_confirmed", False)
    ]
    assert bare == []


def test_a_periodic_task_is_switched_off_with_a_word_and_a_record(operator: Client) -> None:
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    task = PeriodicTask.objects.create(name="sweep", task="trading.sweep", interval=every)
    name = "django_celery_beat_periodictask"
    act(operator, name, "disable_tasks", [task], **confirmed(confirm="disable", reason="x"))
    task.refresh_from_db()
    assert task.enabled
    act(operator, name, "disable_tasks", [task], **confirmed(confirm="disable 1", reason="x"))
    task.refresh_from_db()
    assert not task.enabled
    assert AuditRecord.objects.get(action="console.periodictask.acted").after["done"] == [task.pk]
