"""How far an entry may go: leverage within all limits, risk within the group's."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from bots.models import Bot
from common.principal import Principal
from groups.services import create_group
from riskmgmt.models import Reservation
from tests.trading.conftest import Desk
from tests.trading.contracts import RULES, Contracts, contracts
from tests.trading.test_signal_to_ledger import send
from trading.models import Command, Lot, Order, Position, Protection
from trading.services.entry_bounds import share_within
from trading.services.intents import OrderIntent
from trading.services.open_risk import at_risk_of
from trading.sizing import AMOUNT, RISK_PERCENT, SizeSpec
from webhooks.services import answer

TWO_PERCENT = SizeSpec(RISK_PERCENT, Decimal(2))


@pytest.fixture(autouse=True)
def _venue(settings: Any) -> None:
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}


# bot, account, venue, asked; what becomes of it
@pytest.mark.parametrize(
    ("bot", "account", "venue", "asked", "told"),
    [
        (None, 10, None, 10, 10),
        (None, 10, None, 11, "the account allows a leverage of at most 10"),
        (3, 10, None, 3, 3),
        (3, 10, None, 4, "the bot allows a leverage of at most 3"),
        (20, 10, None, 11, "the account allows a leverage of at most 10"),
        (20, 10, "5", 5, 5),
        (20, 10, "5", 6, "the venue allows a leverage of at most 5"),
        (1, 10, "5", 0, 0),
    ],
)
def test_leverage_stays_within_what_bot_account_and_venue_allow(
    principal: Principal, bot: int | None, account: int, venue: str | None, asked: int,
    told: int | str,
) -> None:  # fmt: skip
    desk = contracts(principal, max_leverage=account)
    desk.rules = replace(RULES, max_leverage=None if venue is None else Decimal(venue))
    made = desk.ask("buy", size=TWO_PERCENT, leverage=asked, max_leverage=bot)
    if isinstance(told, int):
        assert isinstance(made, Order), made
        # 200 USDT of margin times the factor, at 50,000; without a factor as with 1.
        assert (made.leverage, made.quantity) == (told, Decimal("0.004") * max(told, 1))
        return
    assert made == "leverage_above_limit"
    assert Command.objects.get().decision["message"] == told
    assert (Order.objects.count(), Reservation.objects.count()) == (0, 0)


def test_an_exit_asks_for_no_leverage(principal: Principal) -> None:
    desk = contracts(principal)
    desk.fill("buy", "0.1")
    close = desk.ask("sell", reduce_only=True, exit_scope="position", leverage=50, max_leverage=1)
    assert isinstance(close, Order), close
    assert close.leverage == 0


def account_worth(equity: str) -> Account:
    """An account that is nowhere stored."""
    return Account(equity=Decimal(equity), quote_currency="USDT")


# size, the group's limit, at risk already, equity; what is left of the size, cut or not
@pytest.mark.parametrize(
    ("size", "limit", "at_risk", "equity", "percent", "is_cut"),
    [
        (TWO_PERCENT, None, "0", "10000", "2", False),
        (TWO_PERCENT, "5", "0", "10000", "2", False),
        (TWO_PERCENT, "2", "0", "10000", "2", False),
        (TWO_PERCENT, "1.5", "0", "10000", "1.5", True),
        (TWO_PERCENT, "5", "300", "10000", "2", False),
        (TWO_PERCENT, "5", "400", "10000", "1", True),
        (TWO_PERCENT, "5", "500", "10000", "0", True),
        (TWO_PERCENT, "5", "9999", "10000", "0", True),
        (TWO_PERCENT, "1", "0", "0", "2", False),
        (SizeSpec(AMOUNT, Decimal(900), "USDT"), "1", "0", "10000", "900", False),
    ],
)
def test_a_percentage_is_cut_to_what_the_group_leaves(
    size: SizeSpec, limit: str | None, at_risk: str, equity: str, percent: str, is_cut: bool
) -> None:
    share = share_within(
        account_worth(equity),
        OrderIntent(1, "BTC/USDT", "buy", size=size),
        None if limit is None else Decimal(limit),
        Decimal(at_risk),
    )
    assert share.size is not None
    assert (share.size.value, bool(share.facts)) == (Decimal(percent), is_cut)
    assert share.size.value <= size.value
    if is_cut:
        assert share.facts == {
            "notes": ["risk_capped"],
            "risk": {
                "asked": "2", "allowed": percent, "limit": limit,
                "open": f"{Decimal(at_risk) / 100:f}",
            },
        }  # fmt: skip


def test_an_exit_is_never_cut() -> None:
    intent = OrderIntent(1, "BTC/USDT", "sell", size=TWO_PERCENT, reduce_only=True)
    assert share_within(account_worth("100"), intent, Decimal(1), Decimal(50)).size == TWO_PERCENT


@pytest.mark.parametrize(
    ("lot", "risk"),
    [
        # trail, quantity, average, stop, best
        (("", "0.2", "50000", "49000", None), "200"),
        (("", "-0.2", "50000", "51000", None), "200"),
        (("", "0.2", "50000", "50500", None), "0"),
        (("2%", "0.2", "50000", None, None), "200"),
        (("2%", "0.2", "50000", None, "50500"), "102"),
        (("2%", "0.2", "50000", "49900", "50000"), "20"),
        (("500", "-0.2", "50000", None, "49800"), "60"),
        (("", "0", "50000", "49000", None), "0"),
    ],
)
def test_a_lot_risks_the_way_to_its_tighter_stop(lot: tuple[Any, ...], risk: str) -> None:
    row = [1, "live", *lot]
    assert at_risk_of([row], [[1, "live", "7"], [2, "live", "1"]]) == {
        (1, "live"): Decimal(risk) + 7, (2, "live"): Decimal(1)
    }  # fmt: skip


def grouped(principal: Principal, *, risk_limit: str) -> Contracts:
    """A contracts account in a group."""
    desk = contracts(principal)
    create_group(
        principal=principal, name="house", account_ids=[desk.account.pk],
        risk_limit=Decimal(risk_limit),
    )  # fmt: skip
    return desk


def test_what_stops_may_lose_together_stays_within_the_groups_limit(principal: Principal) -> None:
    desk = grouped(principal, risk_limit="5")
    asked = {"size": TWO_PERCENT, "leverage": 10, "stop_loss": "2%"}
    first = desk.ask("buy", **asked)
    assert isinstance(first, Order), first
    # 200 USDT over a distance of 1,000: 0.2 BTC, in either state of an entry.
    assert first.quantity == Decimal("0.2")
    assert Reservation.objects.get().at_risk == Decimal(200)
    second = desk.ask("buy", **asked)
    assert isinstance(second, Order), second
    third = desk.ask("buy", **asked)
    assert isinstance(third, Order), third
    assert (second.quantity, third.quantity) == (Decimal("0.2"), Decimal("0.1"))
    command = Command.objects.get(order=third)
    assert command.decision["notes"] == ["risk_capped"]
    assert command.decision["risk"] == {"asked": "2", "allowed": "1", "limit": "5", "open": "4"}
    assert desk.ask("buy", **asked) == "denied_group_open_risk"
    assert Order.objects.count() == 3
    # An amount says no share of equity; the group's limit is about shares.
    assert isinstance(desk.ask("buy", "0.001"), Order)


def test_a_filled_entrys_stop_goes_on_counting_and_one_that_ended_does_not(
    principal: Principal,
) -> None:
    desk = grouped(principal, risk_limit="3")
    desk.fill("buy", "0.2", "50000")
    position = Position.objects.get()
    protection = Protection.objects.create(position=position, stop_price=Decimal(49_000))
    assert Lot.objects.get().quantity == Decimal("0.2")
    order = desk.ask("buy", size=TWO_PERCENT)
    assert isinstance(order, Order), order
    assert order.quantity == Decimal("0.002")  # 1 % is left
    Order.objects.filter(pk=order.pk).update(state="REJECTED")
    Protection.objects.filter(pk=protection.pk).update(state="ended")
    order = desk.ask("buy", size=TWO_PERCENT)
    assert isinstance(order, Order), order
    assert order.quantity == Decimal("0.004")


def test_the_strictest_of_several_groups_holds(principal: Principal) -> None:
    desk = grouped(principal, risk_limit="4")
    create_group(
        principal=principal, name="strict", account_ids=[desk.account.pk], risk_limit=Decimal(1)
    )
    order = desk.ask("buy", size=TWO_PERCENT)
    assert isinstance(order, Order), order
    assert order.quantity == Decimal("0.002")


@pytest.mark.usefixtures("exchange")
def test_the_answer_to_an_alert_names_what_was_cut(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    create_group(
        principal=desk.principal, name="house", account_ids=[desk.accounts[0].pk],
        risk_limit=Decimal(1),
    )  # fmt: skip
    signal = send(desk)
    desk.run_orders()
    told = answer(signal)["results"]
    assert [(leg["qty"], leg["notes"], leg["status"]) for leg in told] == [
        ("0.002", ["risk_capped"], "placed"), ("0.004", [], "placed")
    ]  # fmt: skip


def test_an_alert_is_held_to_its_bots_leverage(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    Account.objects.update(
        market_type="swap", max_leverage=10, venue_position_mode="one_way", book="paper"
    )
    Bot.objects.update(max_leverage=3)
    for leverage, reason in (("4", "leverage_above_limit"), ("3x", ""), ("", ""), ("0", "")):
        signal = send(desk, symbol="BTCUSDT.P", leverage=leverage, alert_id=f"by {leverage}")
        assert [leg["reason"] for leg in answer(signal)["results"]] == [reason]
    found = Order.objects.order_by("pk").values_list("leverage", flat=True)
    assert list(found) == [3, 0, 0]
