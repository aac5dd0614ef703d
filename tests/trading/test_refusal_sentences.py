"""What a risk check says to the person whose order it refused."""

from decimal import Decimal

import pytest

from riskmgmt.checks import Limits, OrderFacts, Situation, evaluate

ENTRY = OrderFacts(side="buy", quantity=Decimal(1), notional=Decimal(100))
PRICED = {"reference_price": Decimal(100), "last_price": Decimal(100)}


@pytest.mark.parametrize(
    ("situation", "sentence"),
    [
        (Situation(account_status="suspended", account_reason="a. note"), "suspended: a. note"),
        (Situation(account_status="suspended"), "the account is suspended"),
        (Situation(switch_level="REDUCING"), "a kill switch is engaged: REDUCING"),
        (
            Situation(group_latch=(Decimal("25.128399"), Decimal(25))),
            "stands 25.13 % below its peak, where 25 % end its entries",
        ),
        (
            Situation(limits=Limits(max_order_value=Decimal("99.5")), **PRICED),
            "it is worth 100, and an order may be worth 99.50",
        ),
        (Situation(), "no price is known to judge it by"),
    ],
)
def test_a_refusal_says_why_and_an_acceptance_nothing(situation: Situation, sentence: str) -> None:
    assert sentence in evaluate(ENTRY, situation).as_json()["message"]
    assert "message" not in evaluate(ENTRY, Situation(**PRICED)).as_json()
