"""Money is exact from the request to the database and back, in both databases."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from common.money import ExactSum, InvalidMoney, canonical, floored, money, plain
from tests.trading.conftest import Desk
from trading.models import Deal, Order, Position
from trading.services.commands import submit
from trading.services.intents import OrderIntent

LARGE, SMALL = Decimal("1234567.123456789012"), Decimal("0.000000000000000001")


def buy(desk: Desk, quantity: Decimal) -> Order:
    """A market order for an exact quantity of the finest market, sent and settled."""
    submit(
        principal=desk.principal,
        intents=[
            OrderIntent(
                account_id=desk.accounts[0].pk, symbol="DAI/USDT", side="buy", quantity=quantity
            )
        ],
        source="test",
    )
    desk.run_orders()
    desk.settle()
    return Order.objects.order_by("-pk")[0]


@pytest.mark.parametrize("quantity", [LARGE, SMALL])
def test_a_quantity_survives_the_exchange_and_the_database_to_the_last_digit(
    make_desk: Callable[..., Desk], quantity: Decimal
) -> None:
    desk = make_desk(1, USDT="100000000")
    order = buy(desk, quantity)
    assert (order.state, order.quantity, order.filled_quantity) == ("FILLED", quantity, quantity)
    assert Deal.objects.get().quantity == quantity
    truth = desk.exchange.dump(desk.keys[0])
    assert Decimal(truth["orders"][0]["quantity"]) == quantity
    assert Position.objects.get().quantity == desk.exchange.held(desk.keys[0], "DAI")


def test_sums_are_exact(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1, USDT="100000000")
    buy(desk, LARGE)
    buy(desk, SMALL)
    total = Deal.objects.aggregate(total=ExactSum("quantity"))["total"]
    assert Decimal(total) == LARGE + SMALL == Decimal("1234567.123456789012000001")


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "1e400", "1e99", "1,5", "0x10", "", "١", "1" * 19, "0." + "0" * 18 + "1"],
)
def test_what_is_not_exact_money_is_refused(text: str) -> None:
    with pytest.raises(InvalidMoney):
        money(text)


def test_floats_are_refused_by_the_field() -> None:
    with pytest.raises(ValidationError):
        Order._meta.get_field("quantity").to_python(0.1)


def test_a_number_has_one_text() -> None:
    assert [plain(Decimal(text)) for text in ("0", "-0.00", "1E+2", "1.500", "1E-18")] == [
        "0",
        "0",
        "100",
        "1.5",
        "0.000000000000000001",
    ]
    assert canonical(Decimal("-0")).is_signed() is False
    assert floored(Decimal("0.0199999"), Decimal("0.00001")) == Decimal("0.01999")
