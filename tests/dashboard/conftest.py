"""Two tenants and a signed-in client."""

import pytest
from django.test import Client

from tests.dashboard.world import World, fill, make_world
from tests.trading.conftest import exchange, shared_exchange

__all__ = ["exchange", "shared_exchange"]


@pytest.fixture
def world(db: None) -> World:
    """The own tenant, filled."""
    own = make_world("Acme")
    fill(own)
    return own


@pytest.fixture
def foreign(db: None) -> World:
    """Another tenant, filled."""
    other = make_world("Other")
    fill(other)
    return other


@pytest.fixture
def browser_client(world: World) -> Client:
    """Signed in as the own tenant's user."""
    client = Client()
    client.force_login(world.user)
    return client
