"""An organisation with people."""

import pytest

from tests.users.people import Person, new_organisation


@pytest.fixture
def admin(db: None) -> Person:
    """The administrator of the organisation Ours."""
    return new_organisation("Ours")[1]
