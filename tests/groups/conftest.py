"""Two organisations."""

import pytest

from tests.users.people import Person, new_organisation


@pytest.fixture
def admin(db: None) -> Person:
    """The administrator of the organisation Ours."""
    return new_organisation("Ours")[1]


@pytest.fixture
def stranger(db: None) -> Person:
    """The administrator of another organisation."""
    return new_organisation("Theirs")[1]
