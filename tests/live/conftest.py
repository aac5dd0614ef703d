"""The administrators of two organisations; logs and prices are looked at often."""

import pytest

from surfaces.live import feed, prices
from tests.users.people import Person, new_organisation


@pytest.fixture
def admin(transactional_db: None) -> Person:
    """The administrator of Ours, committed, since sockets read on threads of their own."""
    return new_organisation("Ours")[1]


@pytest.fixture
def stranger(transactional_db: None) -> Person:
    """The administrator of another organisation."""
    return new_organisation("Theirs")[1]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, so that no test waits for an announcement."""
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(prices, "LOOK_SECONDS", 0.02)
