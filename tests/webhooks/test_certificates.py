"""The common name of a subject, which no other attribute can pass for."""

import pytest

from webhooks.certificates import common_name


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("CN=TradingView Webhooks", "TradingView Webhooks"),
        ("CN=TradingView Webhooks,O=TradingView\\, Inc.,C=US", "TradingView Webhooks"),
        ("C=US, O=TradingView, CN=TradingView Webhooks", "TradingView Webhooks"),
        ("OU=x+cn=TradingView Webhooks,C=US", "TradingView Webhooks"),
        ("2.5.4.3=TradingView Webhooks", "TradingView Webhooks"),
        ("CN=Caf\\C3\\A9 \\+ Bar", "Café + Bar"),
        ("CN=Café", "Café"),
        ("CN=a=b", "a=b"),
        ("CN=\\\\x", "\\x"),
    ],
)
def test_a_name_is_read_without_its_escapes(subject: str, name: str) -> None:
    assert common_name(subject) == name


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "TradingView Webhooks",
        "O=evil\\,CN=TradingView Webhooks",
        "O=evil\\+CN=TradingView Webhooks",
        "CN=evil,CN=TradingView Webhooks",
        "CN=TradingView Webhooks,CN=TradingView Webhooks",
        "/C=US/O=evil/CN=TradingView Webhooks",
        'O="evil,CN=TradingView Webhooks"',
        "O=evil;CN=TradingView Webhooks",
        "CN=#0c0161",
        "CN=\\FF",
        "CN=x\\",
        "CN",
        "CN=TradingView Webhooks,O",
    ],
)
def test_what_is_ambiguous_or_of_another_form_has_none(subject: str) -> None:
    assert common_name(subject) == ""
