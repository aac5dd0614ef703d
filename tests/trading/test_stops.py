"""What stops trading: a kill switch, a group that lost too much, a bot that is paused or stopped.

Entries are refused at the door and again just before the send, exits pass, and everybody hears.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F

from accounts.models import Account, EquityPoint
from bots.models import Bot
from bots.services import set_status, terminate
from common.clock import now
from events.models import AuditRecord, Event
from groups.services import create_group
from marketdata.models import LastPrice
from monitoring.models import Alert
from riskmgmt.group_guards import reset_guard
from riskmgmt.models import GroupGuard, OwnerSwitch, Reservation
from riskmgmt.switches import engage, release
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading.models import Command, Order, Position
from trading.services.closing import close_position
from trading.services.commands import submit
from trading.services.intents import OrderIntent
from webhooks.models import Signal
from webhooks.services import answer

SYMBOL = "BTC/USDT"


def reasons(signal: Signal) -> list[str]:
    """The reasons of a signal's legs."""
    return [leg["reason"] for leg in answer(signal)["results"]]


def refusal(signal: Signal) -> tuple[str, str, int]:
    """How a signal stands that made no leg."""
    signal.refresh_from_db()
    legs = Command.objects.filter(execution__source="signal", execution__source_ref=signal.pk)
    return signal.state, signal.reason_code, legs.count()


def ends(*, reduce_only: bool) -> list[tuple[str, str]]:
    """State and error of the newest order of each kind."""
    rows = Order.objects.filter(reduce_only=reduce_only).order_by("-pk")
    return list(rows.values_list("state", "error_code"))[:1]


def told(kind: str) -> list[str]:
    """State and severity of the alerts of a code."""
    return [f"{row.state} {row.severity}" for row in Alert.objects.filter(code=kind)]


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """An account in a group that holds what its bot bought."""
    desk = make_desk(1)
    create_group(
        principal=desk.principal, name="house", account_ids=[each.pk for each in desk.accounts],
        risk_limit=Decimal(100),
    )  # fmt: skip
    send(desk, size="60")
    desk.run_orders()
    desk.settle()
    return desk


def queue_both(desk: Desk) -> None:
    """An entry and a partial exit of the bot that wait to be sent."""
    assert reasons(send(desk, size="1", alert_id="queued entry")) == [""]
    assert reasons(send(desk, side="close", size="0.01 BTC", alert_id="queued exit")) == [""]


def half_a_minute_later(desk: Desk, price: str) -> None:
    """The price is another, and the accounts are read at it."""
    desk.exchange.price(SYMBOL, price)
    LastPrice.objects.filter(symbol=SYMBOL).update(price=Decimal(price), at=now())
    EquityPoint.objects.update(at=F("at") - timedelta(seconds=31))
    desk.settle()


def test_a_group_that_lost_too_much_opens_nothing_until_it_is_reset(desk: Desk) -> None:
    queue_both(desk)
    for _ in range(3):  # the venue is asked for withdrawals in between
        half_a_minute_later(desk, "29000")  # 60 % of the equity lost 42 %: 25.2 %
    guard = GroupGuard.objects.latched().get()
    assert guard.drawdown > 25
    assert guard.peak == 1
    assert desk.run_orders() == 1
    assert ends(reduce_only=False) == [("WITHDRAWN", "denied_group_drawdown")]
    assert ends(reduce_only=True) == [("FILLED", "")]
    desk.settle()
    assert reasons(send(desk, size="1", alert_id="later")) == ["denied_group_drawdown"]
    command = Command.objects.latest("pk")
    failed = [check for check in command.decision["checks"] if not check["ok"]]
    assert [(check["check"], check["limit"]) for check in failed] == [("group_drawdown", "25")]
    intent = OrderIntent(desk.accounts[0].pk, SYMBOL, "buy", quantity=Decimal("0.001"))
    submit(principal=desk.principal, intents=[intent], source="test")
    assert Command.objects.latest("pk").reason_code == "denied_group_drawdown"
    assert told("group_drawdown") == ["active critical"]
    assert AuditRecord.objects.filter(action="group_guard.latched").count() == 1
    assert Event.objects.filter(kind="group_guard.latched").count() == 1
    half_a_minute_later(desk, "60000")
    assert reasons(send(desk, size="1", alert_id="richer again")) == ["denied_group_drawdown"]
    assert reasons(send(desk, side="close", alert_id="out")) == [""]
    assert desk.run_orders() == 1
    reset_guard(principal=desk.principal, guard=guard, confirm="house", reason="seen")
    desk.settle()
    assert reasons(send(desk, size="1", alert_id="reset")) == [""]
    assert told("group_drawdown") == ["resolved critical"]


def test_the_kill_switch_stops_what_waits_and_tells(desk: Desk) -> None:
    queue_both(desk)
    switch = engage(principal=desk.principal, scope="organisation", reason="bad fills")
    assert desk.run_orders() == 1
    assert ends(reduce_only=False) == [("WITHDRAWN", "denied_kill_switch")]
    assert ends(reduce_only=True) == [("FILLED", "")]
    assert Reservation.objects.held().count() == 0
    desk.settle()
    assert reasons(send(desk, size="1", alert_id="later")) == ["denied_kill_switch"]
    assert told("kill_switch_engaged") == ["active critical"]
    assert AuditRecord.objects.filter(action="kill_switch.engaged").count() == 1
    assert Event.objects.filter(kind="kill_switch.engaged").count() == 1
    release(principal=desk.principal, switch=switch, confirm="REDUCING")
    assert told("kill_switch_engaged") == ["resolved critical"]
    assert reasons(send(desk, size="1", alert_id="released")) == [""]


def test_a_paused_bot_opens_nothing_not_even_what_waited_and_may_leave(desk: Desk) -> None:
    queue_both(desk)
    set_status(principal=desk.principal, bot=desk.bot, status="PAUSED")
    assert desk.run_orders() == 1
    assert ends(reduce_only=False) == [("WITHDRAWN", "denied_owner_paused")]
    assert ends(reduce_only=True) == [("FILLED", "")]
    assert Reservation.objects.held().count() == 0
    desk.settle()
    assert refusal(send(desk, alert_id="later")) == ("refused", "bot_paused", 0)
    assert reasons(send(desk, side="sell", alert_id="out")) == [""]
    assert desk.run_orders() == 1
    desk.settle()
    assert not Position.objects.open().filter(allocated=True).exists()
    assert told("bot_not_active") == ["active warning"]
    record = AuditRecord.objects.get(action="bot.status_changed")
    assert (record.before, record.after) == ({"status": "ACTIVE"}, {"status": "PAUSED"})
    set_status(principal=desk.principal, bot=desk.bot, status="ACTIVE")
    assert told("bot_not_active") == ["resolved warning"]
    assert reasons(send(desk, alert_id="active again")) == [""]
    assert not OwnerSwitch.objects.exists()


def test_a_stopped_bot_records_and_refuses_everything_even_what_waited(desk: Desk) -> None:
    queue_both(desk)
    before = len(desk.exchange.orders(desk.keys[0]))
    set_status(principal=desk.principal, bot=desk.bot, status="STOPPED")
    assert desk.run_orders() == 0
    assert ends(reduce_only=False) == [("WITHDRAWN", "denied_owner_stopped")]
    assert ends(reduce_only=True) == [("WITHDRAWN", "denied_owner_stopped")]
    for side in ("buy", "sell", "close"):
        assert refusal(send(desk, side=side, alert_id=side)) == ("refused", "bot_stopped", 0)
    assert Signal.objects.count() == 6
    assert len(desk.exchange.orders(desk.keys[0])) == before
    assert told("bot_not_active") == ["active warning"]


def test_a_person_closes_what_a_stopped_bot_holds(desk: Desk) -> None:
    set_status(principal=desk.principal, bot=desk.bot, status="STOPPED")
    close_position(principal=desk.principal, account=desk.accounts[0], symbol=SYMBOL)
    assert desk.run_orders() == 1
    desk.settle()
    assert not Position.objects.open().filter(allocated=True).exists()


def test_terminating_a_stopped_bot_leaves_it_stopped_and_closes_its_own(desk: Desk) -> None:
    set_status(principal=desk.principal, bot=desk.bot, status="STOPPED")
    assert terminate(principal=desk.principal, bot=desk.bot, scope="bot") == (1, [])
    assert desk.run_orders() == 1
    desk.settle()
    assert not Position.objects.open().filter(allocated=True).exists()
    assert Bot.objects.get().status == "STOPPED"


def test_what_protects_a_lot_is_placed_for_a_stopped_bot_too(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    send(desk, takeprofit="3%")
    desk.run_orders()
    set_status(principal=desk.principal, bot=desk.bot, status="STOPPED")
    desk.settle()
    assert desk.run_orders() == 1
    target = Order.objects.get(is_protective=True)
    assert (target.state, target.magic_id) == ("OPEN", desk.bot.magic_id)


@pytest.mark.parametrize("status", ["PAUSED", "STOPPED"])
def test_the_status_of_one_bot_is_nobody_elses(desk: Desk, status: str) -> None:
    set_status(principal=desk.principal, bot=desk.bot, status=status)
    account = Account.objects.get()
    intent = OrderIntent(account.pk, SYMBOL, "buy", quantity=Decimal("0.001"))
    submit(principal=desk.principal, intents=[intent], source="test")
    assert desk.run_orders() == 1
