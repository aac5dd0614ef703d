"""Which readings of an account's worth are kept."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from accounts.models import Account, EquityPoint
from accounts.services import create_account
from common.principal import Principal
from exchanges.protocol import VenueBalance
from trading.services.balances import store_balances
from trading.services.equity_readings import thin_out

START = datetime(2026, 3, 1, 10, 10, tzinfo=UTC)


@pytest.fixture
def account(principal: Principal, settings: Any) -> Account:
    """A spot account that was never read."""
    settings.EXCHANGE_VENUES = {"rehearsal": {"ccxt": "binance", "base_url": "http://127.0.0.1:9"}}
    return create_account(
        principal=principal, venue="rehearsal", api_key="key", api_secret="secret"
    )


def read(account: Account, after: float, held: str) -> None:
    """A poll so many seconds after the start."""
    with time_machine.travel(START + timedelta(seconds=after), tick=False):
        store_balances(account, {"USDT": VenueBalance("USDT", Decimal(held), Decimal(0))})


def kept(account: Account) -> list[tuple[int, Decimal, bool]]:
    """Seconds after the start, equity, and whether it is kept for ever."""
    rows = EquityPoint.objects.filter(account=account).order_by("at")
    return [
        (int((row.at - START).total_seconds()), row.equity, row.quarter is not None) for row in rows
    ]


def test_a_quiet_account_is_kept_each_half_minute(account: Account) -> None:
    for after in range(0, 61, 10):
        read(account, after, "100")
    assert [after for after, _, _ in kept(account)] == [0, 30, 60]


def test_what_a_fill_moved_is_kept_at_once_and_a_burst_is_one_reading(account: Account) -> None:
    for after, held in ((0, "100"), (1, "99"), (2, "98"), (3, "97"), (5, "97")):
        read(account, after, held)
    assert kept(account) == [(0, Decimal(100), True), (2, Decimal(98), False)]
    read(account, 32, "97")
    assert kept(account)[-1] == (32, Decimal(97), False)


def test_the_first_of_each_quarter_outlives_the_others(account: Account) -> None:
    for after in range(0, 1200, 60):  # 10:10 to 10:29
        read(account, after, "100")
    with time_machine.travel(START + timedelta(days=1)):
        assert thin_out() == 0
    with time_machine.travel(START + timedelta(days=3)):
        assert thin_out() == 18
        assert thin_out() == 0
    assert kept(account) == [(0, Decimal(100), True), (300, Decimal(100), True)]


def test_two_first_readings_of_a_quarter_are_one(account: Account) -> None:
    read(account, 0, "100")
    EquityPoint.objects.update(at=START - timedelta(minutes=20))  # as the other poll saw it
    read(account, 0, "100")
    assert EquityPoint.objects.count() == 1
