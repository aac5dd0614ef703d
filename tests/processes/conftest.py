"""Fixtures of the process tests: a rehearsal exchange, desks, and a platform of real processes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes.harness import Platform
from tests.trading.conftest import exchange, make_desk, organisation, principal, shared_exchange
from tests.trading.rehearsal import Exchange
from users.models import Organisation, Role
from users.services import create_api_key, create_user

__all__ = ["exchange", "make_desk", "organisation", "principal", "shared_exchange"]


@pytest.fixture
def platform(
    exchange: Exchange,
    organisation: Organisation,
    child_environment: dict[str, str],
    manage: Callable[..., list[str]],
    tmp_path: Path,
) -> Iterator[Platform]:
    """A platform on this test's database, nothing of it started yet; its venue is the exchange."""
    user = create_user(
        organisation=organisation,
        username="watcher",
        email="watcher@example.com",
        password=None,
        role=Role.ADMIN,
    )
    _, api_key = create_api_key(user=user, label="watch")
    venues = {"rehearsal": {"ccxt": "binance", "base_url": exchange.url}}
    environment = child_environment | {
        "DATA_DIR": str(tmp_path),
        "EXCHANGE_VENUES": json.dumps(venues),
        "EXCHANGE_TIMEOUT_MS": "1500",
        "RECONCILE_SECONDS": "2",
        # Workers that are killed every few seconds read no balance, and prices here are fixed.
        "BALANCE_MAX_AGE_SECONDS": "600",
        "QUOTE_MAX_AGE_SECONDS": "600",
        "DEMO": "false",
    }
    running = Platform(manage, environment, api_key)
    yield running
    running.discard()
