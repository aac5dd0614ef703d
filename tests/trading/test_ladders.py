"""Ladders and closing alerts call back what the bot still has waiting, before anything else."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.trading.conftest import Desk
from tests.trading.test_bad_alerts import body_of, deliver
from tests.trading.test_signal_to_ledger import send
from tests.trading.test_targets import held, legs_of, make_futures, work
from trading.models import Command, Order, Position, Protection
from trading.services import cancelling

__all__ = ["make_futures"]


def rest(desk: Desk) -> Order:
    """An entry of the bot that rests at the exchange."""
    send(desk, order_type="limit", price="40000", size="0.01 BTC", alert_id="resting")
    work(desk)
    order = Order.objects.get()
    assert order.state == "OPEN"
    return order


def at_venue(desk: Desk) -> list[str]:
    """How the exchange has the account's orders, oldest first."""
    return [each["status"] for each in desk.exchange.dump(desk.keys[0])["orders"]]


def test_a_ladder_calls_back_what_rests_and_adds_with_its_target(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    resting = rest(desk)
    rung = send(
        desk, order_type="Long Ladder", size="0.004 BTC", takeprofit="3%", alert_id="first rung"
    )
    resting.refresh_from_db()
    entry = Order.objects.latest("pk")
    assert (resting.state, entry.quantity, entry.type) == (
        "PENDING_CANCEL", Decimal("0.004"), "market",
    )  # fmt: skip
    assert entry.not_before is not None
    assert entry.not_before > entry.created_at
    cancelling.pursue_due()
    Order.objects.filter(pk=entry.pk).update(not_before=None, next_attempt_at=None)
    work(desk)
    assert at_venue(desk)[:2] == ["CANCELED", "FILLED"]
    assert answer_status(rung) == ["placed"]
    assert Protection.objects.get().target_price == Decimal(51500)
    # The next rung waits for nothing, and the target stands for both.
    send(desk, order_type="LONG_LADDER", size="0.004 BTC", takeprofit="4%", alert_id="second rung")
    assert Order.objects.latest("pk").not_before is None
    work(desk)
    assert (Position.objects.open().count(), Protection.objects.get().target_price) == (
        1, Decimal(52000),
    )  # fmt: skip


def answer_status(signal: object) -> list[str]:
    """How the legs of a signal stand."""
    return [leg[0] for leg in legs_of(signal)]  # type: ignore[arg-type]


def test_a_rung_with_a_price_rests(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    send(desk, order_type="ladder", price="41000", size="0.01 BTC", takeprofit="3%")
    order = Order.objects.get()
    assert (order.type, order.price) == ("limit", Decimal(41000))


def test_a_refused_ladder_calls_nothing_back(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    resting = rest(desk)
    with pytest.raises(Exception, match="takeprofit"):
        deliver(desk, body_of(desk, order_type="ladder"))
    resting.refresh_from_db()
    assert (resting.state, Command.objects.count()) == ("OPEN", 1)


def test_another_bots_orders_are_left_alone(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    resting = rest(desk)
    Order.objects.filter(pk=resting.pk).update(magic_id=desk.bot.magic_id + 1)
    send(desk, order_type="ladder", size="0.004 BTC", takeprofit="3%", alert_id="rung")
    resting.refresh_from_db()
    assert (resting.state, resting.cancel_requested_at) == ("OPEN", None)


def test_an_alert_that_closes_everything_leaves_no_entry_behind(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    resting = rest(desk)
    send(desk, size="0.004 BTC", alert_id="entry")
    work(desk)
    send(desk, side="sell", size="0.001 BTC", alert_id="part")
    resting.refresh_from_db()
    assert resting.state == "OPEN"
    work(desk)
    send(desk, side="flat", size="", alert_id="all")
    cancelling.pursue_due()
    work(desk)
    assert (held(), at_venue(desk)[0]) == ([], "CANCELED")


def test_a_short_ladder_sells_contracts(make_futures: Callable[..., Desk]) -> None:  # noqa: F811
    desk = make_futures()
    fields = {"symbol": "BTCUSDT", "order_type": "Short Ladder", "takeprofit": "3%"}
    signal = send(desk, side="sell", size="0.01 BTC", **fields)
    assert legs_of(signal) == [("pending", "sell", "0.01", "")]
    work(desk)
    assert held() == [("sell", Decimal("0.01"))]
    assert Protection.objects.get().target_price == Decimal(48500)
