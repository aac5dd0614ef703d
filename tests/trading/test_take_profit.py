"""A take-profit follows its entry, and stands aside when the position is closed another way."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from bots.services import create_bot
from monitoring.models import Alert
from tests.trading.conftest import Desk
from tests.trading.test_signal_to_ledger import send
from trading.models import Order, Position
from trading.services import cancelling


def through(desk: Desk, **fields: str) -> None:
    """Send an alert and do everything that follows from it, its take-profit included."""
    send(desk, **fields)
    for _ in range(2):
        desk.run_orders()
        desk.settle()


def states() -> list[tuple[str, str, str]]:
    """Type, side and state of every order."""
    return list(Order.objects.order_by("pk").values_list("type", "side", "state"))


def test_a_filled_entry_gets_its_take_profit_which_closes_the_position(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    through(desk, takeprofit="3%")
    target = Order.objects.get(is_protective=True)
    assert (target.type, target.price, target.quantity, target.state) == (
        "limit", Decimal("51500"), Decimal("0.00399"), "OPEN",
    )  # fmt: skip
    desk.exchange.price("BTC/USDT", "51500")
    desk.settle()
    target.refresh_from_db()
    assert target.state == "FILLED"
    position = Position.objects.get(allocated=True)
    assert (position.state, position.realised) == ("closed", Decimal("5.985"))


def test_an_exit_cancels_the_take_profit_that_holds_its_funds(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    through(desk, takeprofit="60000")
    through(desk, side="close")
    assert states() == [
        ("market", "buy", "FILLED"), ("limit", "sell", "CANCELED"), ("market", "sell", "FILLED"),
    ]  # fmt: skip
    assert Position.objects.get(allocated=True).state == "closed"


def test_the_newest_entrys_target_covers_the_whole_share(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    through(desk, takeprofit="3%")
    through(desk, takeprofit="4%")
    cancelling.pursue_due()
    desk.settle()
    desk.run_orders()
    targets = Order.objects.filter(is_protective=True).order_by("pk")
    assert [(order.price, order.quantity, order.state) for order in targets] == [
        (Decimal("51500"), Decimal("0.00399"), "CANCELED"),
        (Decimal("52000"), Decimal("0.00798"), "OPEN"),
    ]
    assert Alert.objects.count() == 0


def test_an_exit_leaves_another_bots_take_profit_alone(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    second, secrets = create_bot(
        principal=desk.principal, name="second", account_ids=[desk.accounts[0].pk]
    )
    through(desk, takeprofit="3%")
    through(replace(desk, bot=second, secrets=secrets), takeprofit="4%")
    through(desk, side="close")
    targets = Order.objects.filter(is_protective=True).order_by("pk")
    assert [(order.magic_id == second.magic_id, order.state) for order in targets] == [
        (False, "CANCELED"), (True, "OPEN"),
    ]  # fmt: skip
    assert Position.objects.get(allocated=True).quantity == Decimal("0.00399201")


def test_a_partial_exit_covers_the_rest_again(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1)
    through(desk, takeprofit="3%")
    through(desk, side="sell", size="0.002 BTC")
    targets = Order.objects.filter(is_protective=True).order_by("pk")
    assert [(order.price, order.quantity, order.state) for order in targets] == [
        (Decimal("51500"), Decimal("0.00399"), "CANCELED"),
        (Decimal("51500"), Decimal("0.00199"), "OPEN"),
    ]


def test_a_waiting_exit_that_its_take_profit_forestalled_is_not_sent(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1, USDT="10000", BTC="1")
    through(desk, takeprofit="3%")
    send(desk, side="close")
    desk.exchange.price("BTC/USDT", "51500")
    desk.settle()
    desk.run_orders()
    desk.settle()
    exit_order = Order.objects.order_by("-pk")[0]
    assert (exit_order.state, exit_order.error_code) == ("WITHDRAWN", "nothing_to_close")
    assert not Position.objects.open().filter(allocated=True).exists()
    assert desk.exchange.held(desk.keys[0], "BTC") == Decimal("1.000006")


def test_what_the_take_profit_filled_unseen_is_not_sold_twice(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1, USDT="10000", BTC="1")
    through(desk, takeprofit="3%")
    send(desk, side="close")
    desk.exchange.price("BTC/USDT", "51500")
    desk.run_orders()
    desk.settle()
    assert desk.exchange.held(desk.keys[0], "BTC") == Decimal("1.000006")
    assert not Position.objects.open().filter(allocated=True).exists()
    assert not Position.objects.filter(side="sell").exists()


def test_a_stale_answer_about_the_take_profit_sells_nothing_twice(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1, USDT="10000", BTC="1")
    through(desk, takeprofit="3%")
    send(desk, side="close")
    desk.exchange.price("BTC/USDT", "51500")
    stale = {"kind": "stale_query", "times": 2, "params": {"ms": 60_000}}
    desk.exchange.call("POST", "/_fault", {"script": [stale]})
    desk.run_orders()
    desk.settle()
    exit_order = Order.objects.get(reduce_only=True, is_protective=False)
    assert (exit_order.state, exit_order.error_code) == ("WITHDRAWN", "nothing_to_close")
    assert desk.exchange.held(desk.keys[0], "BTC") == Decimal("1.000006")
