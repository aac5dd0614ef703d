"""Risk at the door and again before the send: coded, stored, and nothing moves on a refusal."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Account
from common.clock import now
from riskmgmt.limits import set_limits
from riskmgmt.models import KillSwitch, Reservation
from riskmgmt.switches import engage, release, set_venue
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading.models import Command, Order
from webhooks.services import answer


def refusals(desk: Desk, **fields: str) -> list[str]:
    """The reasons of an alert's legs."""
    return [leg["reason"] for leg in answer(send(desk, **fields))["results"]]


def test_the_switch_refuses_entries_and_lets_exits_through(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    send(desk)
    desk.run_orders()
    desk.settle()
    engage(principal=desk.principal, scope="organisation", reason="test")
    assert refusals(desk, alert_id="2") == ["denied_kill_switch"]
    assert refusals(desk, side="sell") == [""]
    assert desk.run_orders() == 1
    assert [order["side"] for order in desk.exchange.orders(desk.keys[0])] == ["buy", "sell"]


def test_waiting_entries_are_withdrawn_and_waiting_exits_are_sent(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(2)
    send(desk)
    assert desk.run_orders() == 2
    desk.settle()
    send(desk, size="1")
    send(desk, side="sell")
    engage(principal=desk.principal, scope="organisation", reason="test")
    assert desk.run_orders() == 2
    states = {
        (order.reduce_only, order.state, order.error_code)
        for order in Order.objects.order_by("pk")[2:]
    }
    assert states == {(False, "WITHDRAWN", "denied_kill_switch"), (True, "FILLED", "")}
    assert Reservation.objects.held().count() == 0
    assert [len(desk.exchange.orders(key)) for key in desk.keys] == [2, 2]


def test_halted_sends_nothing(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    send(desk)
    desk.run_orders()
    desk.settle()
    switch = engage(
        principal=desk.principal,
        scope="account",
        scope_id=desk.accounts[0].pk,
        level="HALTED",
        reason="x",
    )
    assert refusals(desk, side="sell") == ["denied_kill_switch"]
    release(principal=desk.principal, switch=switch, confirm="HALTED")
    assert KillSwitch.objects.engaged().count() == 0
    assert refusals(desk, side="close") == [""]


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_order_value": Decimal("199.99")}, "denied_max_order_value"),
        ({"max_position_value": Decimal("199.99")}, "denied_max_position_value"),
    ],
)
def test_a_limit_refuses_the_order_that_exceeds_it(
    make_desk: Callable[..., Desk], limits: dict[str, Decimal], code: str
) -> None:
    desk = make_desk(1)
    set_limits(
        principal=desk.principal,
        scope="organisation",
        scope_id=desk.principal.organisation_id,
        **limits,
    )
    assert refusals(desk) == [code]
    command = Command.objects.get()
    failed = [check for check in command.decision["checks"] if not check["ok"]]
    assert [(check["value"], check["limit"]) for check in failed] == [("200", "199.99")]
    assert (Order.objects.count(), Reservation.objects.count()) == (0, 0)
    assert refusals(desk, size="1") == [""]


def test_what_waiting_orders_have_reserved_counts(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    set_limits(
        principal=desk.principal,
        scope="account",
        scope_id=desk.accounts[0].pk,
        max_position_value=Decimal(450),
    )
    assert [refusals(desk, alert_id=str(number)) for number in range(3)] == [
        [""],
        [""],
        ["denied_max_position_value"],
    ]
    desk.run_orders()
    desk.settle()
    assert refusals(desk, alert_id="4") == ["denied_max_position_value"]
    assert Reservation.objects.held().count() == 0


def test_a_limit_price_far_above_the_market_is_refused(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    assert refusals(desk, order_type="limit", price="52500.01") == ["denied_price_collar"]
    assert refusals(desk, order_type="limit", price="52500") == [""]
    assert refusals(desk, order_type="limit", price="30000") == [""]


def test_each_unfit_account_has_its_reason_and_the_others_go_on(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(5)
    poor, stale, revoked, disabled, _ = [account.pk for account in desk.accounts]
    Account.objects.filter(pk=poor).update(equity=Decimal("20"))
    Account.objects.filter(pk=stale).update(equity_at=now() - timedelta(seconds=61))
    desk.exchange.call("POST", "/_account/revoke", {"api_key": desk.keys[2]})
    Account.objects.filter(pk=disabled).update(status="disabled")
    signal = send(desk)
    desk.run_orders()
    desk.settle()
    told = answer(signal)
    assert [(leg["status"], leg["reason"]) for leg in told["results"]] == [
        ("skipped", "below_min_notional"),
        ("rejected", "stale_balance"),
        ("rejected", "key_refused"),
        ("rejected", "denied_account_disabled"),
        ("placed", ""),
    ]
    assert (told["success_count"], told["error_count"]) == (1, 4)
    assert Account.objects.get(pk=revoked).status == "suspended"
    assert [len(desk.exchange.orders(key)) for key in desk.keys] == [0, 0, 0, 0, 1]


def test_a_disabled_venue_refuses_everything(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    operator = replace(desk.principal, is_superuser=True)
    set_venue(principal=operator, venue="rehearsal", is_enabled=False, reason="maintenance")
    assert refusals(desk) == ["denied_venue_disabled"]
    set_venue(principal=operator, venue="rehearsal", is_enabled=True, reason="")
    assert refusals(desk, alert_id="2") == [""]


def test_leverage_and_shorts_are_refused_on_spot(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    assert refusals(desk, leverage="5x") == ["leverage_not_supported"]
    assert refusals(desk, side="short") == ["short_not_supported"]
    assert Order.objects.count() == 0
