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


@pytest.mark.parametrize(
    ("venue", "told", "identity"),
    [
        ("binance", {"uid": 354937868, "canTrade": True}, "354937868"),
        ("binanceusdm", {"uid": 354937868}, "354937868"),
        ("okx", {"data": [{"uid": "44705892343619584", "perm": "trade"}]}, "44705892343619584"),
        ("okx", {"data": []}, ""),
        ("bybit", {"result": {"userID": 24600000}}, "24600000"),
        ("kucoin", {"data": {"uid": 165111215}}, "165111215"),
        ("gate", {"user_id": 1667201533}, "1667201533"),
        ("bitget", {"data": {"userId": "7264631750"}}, "7264631750"),
        ("binance", {"uid": True}, ""),
        ("binance", {"uid": None}, ""),
        ("binance", [], ""),
        ("bybit", {"result": []}, ""),
    ],
)
def test_an_answer_says_whose_a_key_is(venue: str, told: Any, identity: str) -> None:
    question = QUIRKS[venue].identity_question
    assert question is not None
    assert question.identity(told) == identity


@pytest.mark.parametrize("venue", [name for name, each in QUIRKS.items() if each.identity_question])
def test_ccxt_can_ask_whose_a_key_is(venue: str) -> None:
    question = QUIRKS[venue].identity_question
    assert question is not None
    assert callable(getattr(getattr(ccxt, venue), question.method, None))
