"""Preflight: every check by name, by the rules of a submission, and nothing moves."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account, Book
from common.errors import NotFound
from common.principal import VIEWER
from riskmgmt.limits import set_limits
from riskmgmt.models import Reservation
from riskmgmt.switches import engage
from tests.trading.conftest import Desk
from tests.trading.test_modes import SYMBOL, enter
from trading.models import Command, Order, TradeCursor
from trading.services.intents import OrderIntent
from trading.services.preflight import Preflight, preflight


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """One account of 10,000 USDT at the rehearsal exchange."""
    return make_desk(1)


def ask(desk: Desk, **fields: Any) -> Preflight:
    """Judge 0.01 BTC; the ledger and the exchange are as before."""
    before = [model.objects.count() for model in (Command, Order, Reservation, TradeCursor)]
    held = desk.exchange.orders(desk.keys[0])
    asked = {"symbol": SYMBOL, "side": "buy", "quantity": Decimal("0.01"), **fields}
    principal = asked.pop("principal", desk.principal)
    intent = OrderIntent(account_id=desk.accounts[0].pk, **asked)
    found = preflight(principal=principal, intent=intent)
    after = [model.objects.count() for model in (Command, Order, Reservation, TradeCursor)]
    assert (after, desk.exchange.orders(desk.keys[0])) == (before, held)
    return found


def failing(found: Preflight) -> list[tuple[str, str]]:
    """The checks that refuse, with their codes."""
    return [(each.name, each.code) for each in found.checks if each.ok is False]


def test_an_order_that_would_go_passes_every_check(desk: Desk) -> None:
    found = ask(desk, take_profit="3%")
    assert (found.would_go, found.code, found.book) == (True, "", "rehearsal")
    assert (found.quantity, found.notional) == (Decimal("0.01"), Decimal(500))
    assert [each.name for each in found.checks if each.ok] == [
        "mode", "market", "leverage", "precision", "group_limit", "position", "size",
        "account_disabled", "account_suspended", "venue_disabled", "kill_switch", "group_drawdown",
        "ledger_mismatch", "max_order_value", "max_position_value", "price_collar",
        "exchange", "clock", "key", "funds", "take_profit_leg",
    ]  # fmt: skip
    assert enter(desk).state == "ACCEPTED"


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"leverage": 5}, ("leverage", "leverage_not_supported")),
        ({"type": "limit"}, ("precision", "price_required")),
        ({"type": "limit", "price": Decimal("50000.001")}, ("precision", "off_precision")),
        ({"quantity": Decimal("0.000001")}, ("size", "off_precision")),
        ({"quantity": Decimal("0.00001")}, ("size", "below_min_notional")),
        ({"symbol": "NO/USDT"}, ("market", "unknown_symbol")),
        ({"side": "sell", "reduce_only": True}, ("size", "short_not_supported")),
        ({"mode": "real"}, ("mode", "unknown_mode")),
        ({"quantity": Decimal("0.21")}, ("funds", "insufficient_funds")),
        ({"side": "sell"}, ("funds", "insufficient_funds")),
        ({"take_profit": "49000"}, ("precision", "take_profit_wrong_side")),
    ],
)
def test_what_would_be_refused_is_named(
    desk: Desk, fields: dict[str, Any], refusal: tuple[str, str]
) -> None:
    found = ask(desk, **fields)
    assert failing(found) == [refusal]
    assert (found.would_go, found.code) == (False, refusal[1])


def test_a_stop_whose_own_value_is_below_the_venues_least_is_named(desk: Desk) -> None:
    stop = {"type": "stop_loss", "side": "sell", "stop_price": Decimal(40_000)}
    found = ask(desk, quantity=Decimal("0.00011"), **stop)
    assert ("stop_leg", "below_min_notional") in failing(found)


def test_it_says_what_a_submission_says(desk: Desk) -> None:
    set_limits(
        principal=desk.principal,
        scope="account",
        scope_id=desk.accounts[0].pk,
        max_order_value=Decimal(400),
    )
    engage(principal=desk.principal, scope="organisation", reason="test")
    found = ask(desk)
    assert failing(found) == [
        ("kill_switch", "denied_kill_switch"),
        ("max_order_value", "denied_max_order_value"),
    ]
    assert (found.code, enter(desk).reason_code) == ("denied_kill_switch", "denied_kill_switch")


def test_the_mode_is_told_and_its_book_is_judged(desk: Desk) -> None:
    Account.objects.update(book=Book.PAPER)
    assert failing(ask(desk, mode="live")) == [("mode", "live_disabled")]
    found = ask(desk, mode="live", allow_downgrade=True)
    assert found.book == "shadow"
    assert found.mode == {"requested": "live", "effective": "shadow", "reason": "live_disabled"}
    assert ask(desk, quantity=Decimal("0.19")).would_go  # the paper book has 10,000 too


def test_a_key_that_the_exchange_refuses_is_named(desk: Desk) -> None:
    desk.exchange.call("POST", "/_account/revoke", {"api_key": desk.keys[0]})
    assert failing(ask(desk)) == [("exchange", "key_refused")]


def test_strangers_see_no_account_and_viewers_may_not(desk: Desk) -> None:
    viewer = replace(desk.principal, role=VIEWER)
    assert failing(ask(desk, principal=viewer)) == [("mode", "permission_denied")]
    stranger = replace(desk.principal, organisation_id=desk.principal.organisation_id + 1)
    with pytest.raises(NotFound):
        ask(desk, principal=stranger)


def run(*words: str) -> tuple[int, Any]:
    """The command's exit code and its JSON document."""
    out = StringIO()
    try:
        call_command("preflight", *words, "--json", "--quiet", stdout=out)
    except SystemExit as end:
        return int(str(end.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_the_command_tells_the_same_and_ends_with_a_code(desk: Desk) -> None:
    number = str(desk.accounts[0].pk)
    code, told = run(number, "BTC-USDT", "buy", "--quantity", "0.01")
    assert (code, told["would_go"], told["notional"]) == (0, True, "500")
    code, told = run(number, SYMBOL, "buy", "--quantity", "0.01", "--leverage", "3")
    assert (code, told["code"]) == (4, "leverage_not_supported")
    for words in (
        (number, SYMBOL, "buy", "--quantity", "-1"),
        (number, SYMBOL, "buy", "--quantity", "NaN"),
        (number, SYMBOL, "buy", "--quantity", "1", "--take-profit", "soon"),
        ("999999", SYMBOL, "buy"),
        (number, "nonsense", "buy"),
    ):
        with pytest.raises(CommandError) as caught:
            run(*words)
        assert caught.value.returncode == 2
