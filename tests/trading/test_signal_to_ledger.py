"""The main job: an authentic alert becomes orders, deals and positions equal to the exchange's."""

import json
from collections.abc import Callable
from decimal import Decimal

from accounts.models import Account
from tests.trading.conftest import Desk
from trading.models import Deal, Order, Position
from trading.services.rebuild import check_stream, streams
from webhooks.authentication import SIGNATURE_HEADER, sign
from webhooks.models import Signal
from webhooks.services import answer, receive


def send(desk: Desk, **fields: str) -> Signal:
    """Deliver a signed alert to the desk's bot."""
    alert = {
        "botname": desk.bot.name,
        "symbol": "BTCUSDT",
        "side": "buy",
        "order_type": "market",
        "size": "2",
        **fields,
    }
    body = json.dumps(alert).encode()
    headers = {SIGNATURE_HEADER: sign(desk.secrets.hmac_secret, body)}
    return receive(body=body, headers=headers, token=None, address="203.0.113.7")


def test_an_alert_fills_on_every_account_and_the_ledger_equals_the_exchange(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(3)
    signal = send(desk)
    assert desk.run_orders() == 3
    desk.settle()
    told = answer(signal)
    assert (told["success_count"], told["error_count"], told["pending"]) == (3, 0, False)
    signal.refresh_from_db()
    assert (signal.state, signal.success_count) == ("finished", 3)
    for account, key in zip(desk.accounts, desk.keys, strict=True):
        truth = desk.exchange.dump(key)
        order = Order.objects.get(account=account)
        assert (order.state, order.quantity, order.filled_quantity) == (
            "FILLED",
            Decimal("0.004"),
            Decimal("0.004"),
        )
        assert [str(each["orderId"]) for each in truth["orders"]] == [order.exchange_order_id]
        assert truth["orders"][0]["clientOrderId"] == order.client_order_id
        deals = Deal.objects.filter(account=account)
        assert {deal.exchange_trade_id for deal in deals} == {
            str(trade["id"]) for trade in truth["trades"]
        }
        position = Position.objects.open().get(account=account)
        assert position.quantity == desk.exchange.held(key, "BTC") == Decimal("0.003996")
        account = Account.objects.get(pk=account.pk)
        assert account.balance == desk.exchange.held(key, "USDT") == Decimal("9800")
        assert account.equity == Decimal("9999.8")


def test_a_sell_alert_closes_to_exactly_zero_with_its_dust_booked(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(1)
    send(desk)
    desk.run_orders()
    desk.settle()
    send(desk, side="sell")
    assert desk.run_orders() == 1
    desk.settle()
    closed = Position.objects.get(allocated=True)
    assert (closed.state, closed.quantity) == ("closed", Decimal(0))
    dust = Position.objects.get(allocated=False)
    assert dust.quantity == desk.exchange.held(desk.keys[0], "BTC") == Decimal("0.000006")
    assert [deal.reason for deal in Deal.objects.order_by("pk")] == [
        "webhook",
        "webhook",
        "dust",
        "dust",
    ]
    assert [check_stream(stream) for stream in streams()] == [[], []]


def test_the_same_alert_again_is_answered_and_not_repeated(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    first = send(desk, alert_id="a-1")
    second = send(desk, alert_id="a-1")
    assert (second.pk, second.is_duplicate) == (first.pk, True)
    assert desk.run_orders() == 2
    assert Order.objects.count() == 2
    assert Signal.objects.get().deliveries == 2
