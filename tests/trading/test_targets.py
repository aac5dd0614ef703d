"""Alerts that say what is to be held in the end: each leads there from wherever the bot stands."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from bots.services import create_bot, set_status
from common.principal import Principal
from groups.services import create_group
from tests.trading.conftest import Desk
from tests.trading.hedging import ledger_differences
from tests.trading.rehearsal import Exchange
from tests.trading.test_bad_alerts import body_of, deliver
from tests.trading.test_futures_end_to_end import SYMBOL, futures_book
from tests.trading.test_signal_to_ledger import send
from trading.models import Command, Order, Position
from webhooks.dry_run import dry_run
from webhooks.models import Signal
from webhooks.services import answer

Legs = list[tuple[str, str, str, str]]


def aim(desk: Desk, side: str, size: str, **fields: str) -> Signal:
    """Deliver an alert that names a target."""
    number = Signal.objects.count()
    return send(desk, order_type="target", side=side, size=size, alert_id=str(number), **fields)


def legs_of(signal: Signal) -> Legs:
    """Status, side, quantity and reason of each leg."""
    return [
        (each["status"], each["side"], each["qty"] or "", each["reason"])
        for each in answer(signal)["results"]
    ]


def work(desk: Desk) -> None:
    """Send what waits and bring the ledger up to date."""
    desk.run_orders()
    desk.settle()


def held() -> list[tuple[str, Decimal]]:
    """The open positions that somebody owns."""
    rows = Position.objects.open().filter(allocated=True).order_by("pk")
    return list(rows.values_list("side", "quantity"))


def test_on_spot_only_the_difference_is_traded(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    assert legs_of(aim(desk, "long", "0.01 BTC")) == [("pending", "buy", "0.01", "")]
    work(desk)
    # A tenth of a percent went to the fee; 0.5 USDT of it is no order.
    assert held() == [("buy", Decimal("0.00999"))]
    reached = aim(desk, "long", "0.01 BTC")
    assert legs_of(reached) == [("unchanged", "buy", "", "target_reached")]
    told = answer(reached)
    assert (told["success_count"], told["error_count"], told["pending"]) == (1, 0, False)
    assert (told["state"], told["results"][0]["success"]) == ("finished", True)
    assert legs_of(aim(desk, "buy", "0.02 BTC")) == [("pending", "buy", "0.01001", "")]
    work(desk)
    more = held()[0][1]
    less = legs_of(aim(desk, "long", "0.005 BTC"))
    assert less == [("pending", "sell", str(more - Decimal("0.005"))[:7], "")]
    work(desk)
    assert legs_of(aim(desk, "flat", ""))[0][:2] == ("pending", "sell")
    work(desk)
    assert held() == []
    assert legs_of(aim(desk, "flat", "0.3 BTC")) == [("unchanged", "sell", "", "target_reached")]
    assert (Order.objects.count(), ledger_differences()) == (4, [])


def test_spot_is_not_held_short(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    refused = aim(desk, "short", "0.01 BTC")
    assert legs_of(refused) == [("rejected", "sell", "", "short_not_supported")]
    assert Order.objects.count() == 0


def test_what_is_on_its_way_counts(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    assert legs_of(aim(desk, "long", "0.01 BTC")) == [("pending", "buy", "0.01", "")]
    # Called back before it was sent: the next target makes an order of its own.
    second = aim(desk, "long", "0.01 BTC")
    assert [leg[:3] for leg in legs_of(second)] == [("pending", "buy", "0.01")]
    assert list(Order.objects.order_by("pk").values_list("state", flat=True)) == [
        "WITHDRAWN", "CREATED",
    ]  # fmt: skip
    Order.objects.filter(state="CREATED").update(state="UNKNOWN")
    third = aim(desk, "long", "0.03 BTC")
    assert legs_of(third) == [("pending", "buy", "0.03", "")]  # the unknown one is called back


def test_an_order_that_nobody_can_call_back_is_counted(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    aim(desk, "long", "0.01 BTC")
    work(desk)
    send(desk, side="sell", size="0.004 BTC", alert_id="part")
    assert legs_of(aim(desk, "long", "0.00999 BTC")) == [("pending", "buy", "0.004", "")]
    work(desk)
    assert held() == [("buy", Decimal("0.009986"))]


@pytest.fixture
def make_futures(
    principal: Principal, exchange: Exchange, request: pytest.FixtureRequest
) -> Callable[..., Desk]:
    """Makes a bot for contracts with one account in the asked pair of modes."""

    def make(*, ours: str = "netting", is_hedged: bool = False) -> Desk:
        book = futures_book(principal, exchange, request.node.name, ours=ours, is_hedged=is_hedged)
        bot, secrets = create_bot(
            principal=principal,
            name="futures",
            account_ids=[book.account.pk],
            max_leverage=10,
        )
        return Desk(principal, exchange, [book.account], [book.key], bot, secrets)

    return make


@pytest.mark.parametrize("ours", ["netting", "hedge"])
@pytest.mark.parametrize("is_hedged", [False, True])
def test_contracts_turn_from_long_to_short_and_end_flat(
    make_futures: Callable[..., Desk], ours: str, is_hedged: bool
) -> None:
    desk = make_futures(ours=ours, is_hedged=is_hedged)
    assert legs_of(aim(desk, "long", "0.03 BTC", symbol="BTCUSDT.P")) == [
        ("pending", "buy", "0.03", "")
    ]
    work(desk)
    assert legs_of(aim(desk, "long", "0.05 BTC", symbol="BTCUSDT.P")) == [
        ("pending", "buy", "0.02", "")
    ]
    work(desk)
    assert held() == [("buy", Decimal("0.05"))]
    turn = aim(desk, "short", "0.02 BTC", symbol="BTCUSDT.P")
    assert legs_of(turn) == [("pending", "sell", "0.05", ""), ("pending", "sell", "0.02", "")]
    exit_, entry = Order.objects.order_by("pk")[2:]
    assert (exit_.reduce_only, entry.reduce_only) == (True, False)
    work(desk)
    assert held() == [("sell", Decimal("0.02"))]
    assert legs_of(aim(desk, "short", "0.01 BTC", symbol="BTCUSDT.P")) == [
        ("pending", "buy", "0.01", "")
    ]
    work(desk)
    # "close" finds out by itself that a short is to be bought back.
    closing = send(desk, symbol="BTCUSDT.P", side="close", size="", alert_id="out")
    assert legs_of(closing) == [("pending", "buy", "0.01", "")]
    work(desk)
    assert (held(), ledger_differences()) == ([], [])
    at_venue = desk.exchange.dump(desk.keys[0])["futures"]["positions"]
    assert all(Decimal(str(each["positionAmt"])) == 0 for each in at_venue)


def test_a_target_below_zero_is_a_short(make_futures: Callable[..., Desk]) -> None:
    desk = make_futures()
    alert = {"symbol": "BTCUSDT.P", "order_type": "Position Control", "size": ""}
    signal = deliver(desk, body_of(desk, **alert, side="", position_size="-0.02"))
    assert legs_of(signal) == [("pending", "sell", "0.02", "")]
    work(desk)
    assert held() == [("sell", Decimal("0.02"))]
    flat = deliver(desk, body_of(desk, **alert, side="", position_size="0"))
    assert legs_of(flat) == [("pending", "buy", "0.02", "")]


def test_a_missed_alert_is_noted_and_made_good(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    missed = aim(desk, "long", "0.01 BTC", prev_position="long")
    assert answer(missed)["results"][0]["notes"] == ["healed"]
    work(desk)
    in_step = aim(desk, "long", "0.02 BTC", prev_position="long")
    assert answer(in_step)["results"][0]["notes"] == []


def test_a_share_of_equity_grows_within_the_groups_limit(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    aim(desk, "long", "2")
    work(desk)
    create_group(
        principal=desk.principal,
        name="careful",
        account_ids=[desk.accounts[0].pk],
        risk_limit=Decimal(3),
    )
    # 10 % of 9,999.8 at 50,000 is 0.01999; 0.003996 are held, and 3 % of the rest may be added.
    grown = aim(desk, "long", "10")
    order = Order.objects.latest("pk")
    assert (answer(grown)["results"][0]["notes"], order.quantity) == (
        ["risk_capped"], Decimal("0.00599"),
    )  # fmt: skip


def test_a_paused_bot_shrinks_and_does_not_grow(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    aim(desk, "long", "0.01 BTC")
    work(desk)
    set_status(principal=desk.principal, bot=desk.bot, status="PAUSED")
    grown = legs_of(aim(desk, "long", "0.02 BTC"))
    assert [leg[0] for leg in grown] == ["rejected"]
    assert Order.objects.count() == 1
    assert legs_of(aim(desk, "long", "0.004 BTC")) == [("pending", "sell", "0.00599", "")]


def test_an_order_that_shrinks_is_its_owners_alone(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    aim(desk, "long", "0.01 BTC")
    work(desk)
    aim(desk, "long", "0.004 BTC")
    command = Command.objects.latest("pk")
    assert (command.kind, command.payload["exit_scope"], command.payload.get("is_target")) == (
        "close_position", "lot", None,
    )  # fmt: skip
    assert command.decision["target"] == {"held": "0.00999", "coming": "0"}


def test_a_dry_run_tells_both_legs_of_a_turn(make_futures: Callable[..., Desk]) -> None:
    desk = make_futures()
    aim(desk, "long", "0.03 BTC", symbol="BTCUSDT.P")
    work(desk)
    fields = {"order_type": "target", "symbol": "BTCUSDT.P"}

    def tried(side: str, size: str) -> list[tuple[str, str, str | None]]:
        body = body_of(desk, **fields, side=side, size=size)
        told = dry_run(principal=desk.principal, body=body, headers={}, bot=desk.bot).as_json()
        return [(each["status"], each["side"], each["qty"]) for each in told["results"]]

    assert tried("short", "0.02 BTC") == [
        ("would_place", "sell", "0.03"), ("would_place", "sell", "0.02"),
    ]  # fmt: skip
    assert tried("long", "0.03 BTC") == [("unchanged", "buy", None)]
    assert Order.objects.filter(symbol=SYMBOL).count() == 1
