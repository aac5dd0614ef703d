"""A dry run says what the alert would do, leg by leg, and leaves no trace."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from accounts.services import set_status as set_account_status
from bots.models import Bot
from bots.services import disconnect_account, set_status
from common.clock import iso, now
from common.errors import BadJson, Invalid, NotFound, TooLarge
from riskmgmt.limits import set_limits
from tests.authorisation.worlds import state_of_the_database
from tests.trading.conftest import Desk
from tests.trading.test_bad_alerts import body_of, deliver
from tests.trading.test_signal_to_ledger import send
from trading.services.legs import legs
from webhooks.authentication import SIGNATURE_HEADER, sign
from webhooks.dry_run import DryRun, dry_run


def try_out(desk: Desk, body: bytes | None = None, **given: Any) -> DryRun:
    """Try an alert out; the database (but for what is known of markets) and the exchange are as
    before.
    """
    before, held = _state(), [desk.exchange.orders(key) for key in desk.keys]
    asked = {"principal": desk.principal, "headers": {}, **given}
    try:
        return dry_run(body=body_of(desk) if body is None else body, **asked)
    finally:
        assert _state() == before
        assert [desk.exchange.orders(key) for key in desk.keys] == held


def _state() -> dict[str, Any]:
    rows = state_of_the_database()
    return {name: found for name, found in rows.items() if not name.startswith("marketdata.")}


def told(found: DryRun) -> list[tuple[str, str]]:
    """Status and reason of each leg."""
    return [(leg.status, leg.found.code) for leg in found.legs]


def test_it_tells_what_the_alert_then_does(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(4)
    _, suspended, limited, stale = desk.accounts
    set_account_status(principal=desk.principal, account=suspended, status="suspended")
    set_limits(
        principal=desk.principal, scope="account", scope_id=limited.pk, max_order_value=Decimal(10)
    )
    Account.objects.filter(pk=stale.pk).update(equity_at=now() - timedelta(hours=1))
    found = try_out(desk, body_of(desk, takeprofit="3%"))
    assert told(found) == [
        ("would_place", ""),
        ("would_reject", "denied_account_suspended"),
        ("would_reject", "denied_max_order_value"),
        ("would_reject", "stale_balance"),
    ]
    # 2 % of 10,000 USDT at 50,000.
    sound = found.legs[0].found
    assert (sound.quantity, sound.notional, sound.price) == (
        Decimal("0.004"), Decimal(200), Decimal(50_000),
    )  # fmt: skip
    assert [each.name for each in sound.checks][:2] == ["bot", "mode"]
    assert (found.placing, found.bar, found.repeats) == (1, "", "")
    signal = deliver(desk, body_of(desk, takeprofit="3%"))
    assert signal.execution is not None
    assert [(leg.account_id, leg.quantity, leg.reason_code) for leg in legs(signal.execution)] == [
        (leg.account.pk, leg.found.quantity, leg.found.code) for leg in found.legs
    ]


def test_what_only_the_exchange_would_say_is_told_too(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    desk.exchange.call("POST", "/_account/revoke", {"api_key": desk.keys[1]})
    found = try_out(desk, body_of(desk, size="9990 USDT"))
    assert told(found) == [("would_place", ""), ("would_reject", "key_refused")]


def test_an_exit_closes_what_the_bot_holds(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    disconnect_account(principal=desk.principal, bot=desk.bot, account=desk.accounts[1])
    send(desk)
    desk.run_orders()
    desk.settle()
    Bot.objects.get(pk=desk.bot.pk).accounts.add(desk.accounts[1])
    found = try_out(desk, body_of(desk, side="close", size=""))
    assert told(found) == [("would_place", ""), ("would_reject", "short_not_supported")]
    intent = found.legs[0].intent
    assert (intent.side, intent.reduce_only, found.legs[0].found.quantity) == (
        "sell", True, Decimal("0.00399"),
    )  # fmt: skip


@pytest.mark.parametrize(("status", "code"), [("PAUSED", "bot_paused"), ("STOPPED", "bot_stopped")])
def test_a_bot_that_lets_nothing_through_says_so_before_every_other_check(
    make_desk: Callable[..., Desk], status: str, code: str
) -> None:
    desk = make_desk(1)
    set_status(principal=desk.principal, bot=desk.bot, status=status)
    found = try_out(desk)
    assert (told(found), found.bar, found.placing) == ([("would_reject", code)], code, 0)
    assert found.legs[0].found.quantity == Decimal("0.004")


def test_how_an_alert_proves_itself_is_told_and_not_demanded(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    body = body_of(desk)
    signed = {SIGNATURE_HEADER: sign(desk.secrets.hmac_secret, body)}
    wrong = {SIGNATURE_HEADER: "00" * 32}
    proofs = [try_out(desk, body, headers=each).proven_by for each in (signed, wrong, {})]
    assert proofs == ["hmac", "", ""]
    assert desk.bot.auth_modes == ("token", "hmac")


def test_an_alert_that_came_before_would_not_be_repeated(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    body = body_of(desk, alert_id="first")
    signal = deliver(desk, body)
    found = try_out(desk, body)
    assert (found.repeats, found.placing) == (signal.correlation_id, 0)
    assert try_out(desk, body_of(desk, alert_id="second")).repeats == ""


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"side": "up"}, "unknown_side"),
        ({"symbol": "{{ticker}}"}, "unknown_symbol"),
        ({"symbol": "NOUSDT"}, "unknown_symbol"),
        ({"size": "-1"}, "validation_error"),
        ({"time": iso(now() - timedelta(hours=1))}, "stale"),
        ({"takeprofit": "49000"}, "take_profit_wrong_side"),
        ({"botname": ""}, "validation_error"),
    ],
)
def test_what_no_account_could_execute_is_refused_as_at_the_door(
    make_desk: Callable[..., Desk], fields: dict[str, Any], code: str
) -> None:
    desk = make_desk(1)
    with pytest.raises(Invalid) as caught:
        try_out(desk, body_of(desk, **fields))
    assert caught.value.code == code


def test_what_cannot_be_read_is_refused(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    with pytest.raises(BadJson):
        try_out(desk, b"{")
    with pytest.raises(TooLarge):
        try_out(desk, b"x" * 8193)


def test_the_bot_is_named_in_the_text_or_beside_it(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    bare = json.dumps({"symbol": "BTCUSDT", "side": "buy", "size": "2"}).encode()
    assert told(try_out(desk, bare, bot=desk.bot)) == [("would_place", "")]
    with pytest.raises(Invalid) as caught:
        try_out(desk, body_of(desk, botname="other"), bot=desk.bot)
    assert caught.value.code == "bot_mismatch"
    with pytest.raises(NotFound):
        try_out(desk, body_of(desk, botname="other"))


def test_a_reader_of_one_account_is_told_of_that_one(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    limited = replace(desk.principal, account_ids=frozenset({desk.accounts[1].pk}))
    found = try_out(desk, principal=limited)
    assert [leg.account.pk for leg in found.legs] == [desk.accounts[1].pk]
    stranger = replace(desk.principal, organisation_id=desk.principal.organisation_id + 1)
    with pytest.raises(NotFound) as caught:
        try_out(desk, principal=stranger)
    assert caught.value.code == "bot_not_found"


def test_a_stop_limits_what_a_percentage_may_lose(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    (leg,) = try_out(desk, body_of(desk, stoploss="5%", takeprofit="10%")).legs
    # 2 % of 10,000 USDT are lost when 2,500 USDT a coin are.
    assert (leg.status, leg.found.quantity) == ("would_place", Decimal("0.08"))
    assert leg.intent.stop_loss == "5%"
    (wrong,) = try_out(desk, body_of(desk, stoploss="51000")).legs
    assert (wrong.status, wrong.found.code) == ("would_reject", "stop_loss_wrong_side")
