"""Secrets stay out of what is stored, shown and logged, however they are written."""

import json
import time

import pytest

from common.redaction import redact, redact_body, redact_json


@pytest.mark.parametrize(
    "text",
    [
        r'{"secret":"abc\"REST"}',
        r'{"secret": "abc\\\"REST", "symbol": "BTC"}',
        r"{'secret': 'abc\'REST'}",
        '{"api_key": "abc REST',
        r'"body": "{\"secret\": \"abc REST\", \"symbol\": 1}"',
        "password=REST&symbol=BTC",
        "Authorization: Bearer REST",
    ],
)
def test_no_rest_of_a_secret_is_left_in_text(text: str) -> None:
    assert "REST" not in redact(text)


def test_what_stands_beside_a_secret_stays() -> None:
    assert redact(r'{"secret":"a\"b","symbol":"BTC"}') == '{"secret":***,"symbol":"BTC"}'
    assert redact('{"symbol": "BTC", "side": "buy"}') == '{"symbol": "BTC", "side": "buy"}'


def test_whatever_stands_under_a_secret_key_is_masked_whole() -> None:
    value = {"secret": {"value": "S"}, "api_key": ["K"], "password": 12345, "token": "T"}
    assert redact_json(value) == dict.fromkeys(value, "***")


def test_what_hides_nothing_stays() -> None:
    value = {"has_token": True, "passphrase": None, "symbol": "BTC", "size": [1, "2%"]}
    assert redact_json(value) == value


def test_an_escaped_key_of_a_body_hides_nothing() -> None:
    body = r'{"\u0073ecret": "abc", "nested": [{"api\u005fkey": 7}], "symbol": "BTC/USDT"}'
    assert json.loads(redact_body(body)) == {
        "secret": "***",
        "nested": [{"api_key": "***"}],
        "symbol": "BTC/USDT",
    }


def test_a_body_without_secrets_keeps_its_text() -> None:
    body = '{ "symbol":"BTC/USDT",  "price": 0.10 }'
    assert redact_body(body) == body


@pytest.mark.parametrize(
    "body", ["secret=abc", '{"secret":"abc"', "[" * 100_000 + '"secret":"abc"']
)
def test_a_body_that_is_no_json_is_redacted_as_text(body: str) -> None:
    assert "abc" not in redact_body(body)


@pytest.mark.parametrize("part", ["a-", "\\", '\\"', "token", "-eyJ", 'secret:\\"x\\'])
def test_a_hostile_text_takes_no_longer_than_its_length(part: str) -> None:
    begun = time.process_time()
    redact(part * 20_000)
    assert time.process_time() - begun < 2
