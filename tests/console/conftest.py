"""Two tenants and their console users."""

import pytest
from django.test import Client

from tests.dashboard.world import World, fill, make_world


@pytest.fixture
def world(db: None) -> World:
    """The own tenant: its user is staff and administers it."""
    own = make_world("Acme")
    fill(own)
    return own


@pytest.fixture
def foreign(db: None) -> World:
    """Another tenant."""
    other = make_world("Other")
    fill(other)
    return other


@pytest.fixture
def staff(world: World) -> Client:
    """The own tenant's administrator, no superuser."""
    client = Client()
    client.force_login(world.user)
    return client


@pytest.fixture
def operator(world: World) -> Client:
    """The platform's superuser."""
    root = make_world("Platform", accounts=0, is_superuser=True)
    client = Client()
    client.force_login(root.user)
    return client
