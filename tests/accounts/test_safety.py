"""What an account's venue can settle is shown with the account."""

import pytest

from accounts.models import Account
from accounts.safety import safety_of


@pytest.mark.parametrize(
    ("venue", "market_type", "book", "safety"),
    [
        ("binance", "spot", "live", "full"),
        ("binance", "swap", "live", "full"),
        ("coinbase", "spot", "live", "degraded"),
        ("alpaca", "spot", "live", "degraded"),
        ("luno", "spot", "live", "degraded"),
        ("luno", "spot", "paper", "full"),
        ("taken-away", "spot", "rehearsal", "degraded"),
    ],
)
def test_an_accounts_safety_is_its_venues(
    venue: str, market_type: str, book: str, safety: str
) -> None:
    account = Account(venue=venue, market_type=market_type, book=book)
    assert safety_of(account) == safety
