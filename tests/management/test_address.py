"""The address a call comes from, and who is believed about it."""

from typing import Any

import pytest

from surfaces.authentication import client_address


def test_nobody_is_believed_without_a_trusted_proxy() -> None:
    assert client_address("10.0.0.1", "1.2.3.4") == "10.0.0.1"
    assert client_address("not an address", "1.2.3.4") == ""


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("", "10.0.0.1"),
        ("1.2.3.4", "1.2.3.4"),
        ("9.9.9.9, 1.2.3.4", "1.2.3.4"),
        ("9.9.9.9, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
        ("1.2.3.4, rubbish", "10.0.0.1"),
        ("10.0.0.7, 10.0.0.8", "10.0.0.7"),
    ],
)
def test_behind_trusted_proxies_the_nearest_other_hop_counts(
    settings: Any, forwarded: str, expected: str
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert client_address("10.0.0.1", forwarded) == expected
