"""Whether a key may withdraw, as each venue tells it."""

from typing import Any

import ccxt.async_support as ccxt
import pytest

from exchanges.quirks import QUIRKS


def asked(venue: str, told: Any) -> bool | None:
    """What the venue's answer means."""
    question = QUIRKS[venue].key_question
    assert question is not None
    return question.may_withdraw(told)


@pytest.mark.parametrize(
    ("venue", "told", "meaning"),
    [
        ("binance", {"enableReading": True, "enableWithdrawals": True}, True),
        ("binanceusdm", {"enableReading": True, "enableWithdrawals": False}, False),
        ("binance", {"enableWithdrawals": "true"}, None),
        ("binance", [], None),
        ("okx", {"data": [{"perm": "read_only,withdraw,trade"}]}, True),
        ("okx", {"data": [{"perm": "read_only,trade"}]}, False),
        ("okx", {"data": []}, None),
        ("bybit", {"result": {"permissions": {"Wallet": ["AccountTransfer", "Withdraw"]}}}, True),
        ("bybit", {"result": {"permissions": {"Spot": ["SpotTrade"], "Wallet": []}}}, False),
        ("bybit", {"result": {"permissions": {"Spot": ["SpotTrade"]}}}, False),
        ("bybit", {"result": {}}, None),
    ],
)
def test_an_answer_says_whether_a_key_may_withdraw(
    venue: str, told: Any, meaning: bool | None
) -> None:
    assert asked(venue, told) is meaning


@pytest.mark.parametrize("venue", [name for name, each in QUIRKS.items() if each.key_question])
def test_the_question_is_one_that_ccxt_can_ask(venue: str) -> None:
    assert callable(getattr(getattr(ccxt, venue), QUIRKS[venue].key_question.method, None))
