"""An organisation and a bot that has every way to know its alerts."""

import pytest

from bots.models import Bot
from bots.secrets import BotSecrets
from bots.services import create_bot
from tests.users.people import Person, new_organisation

BODY_SECRET = "a chosen secret of length"
COMMON_NAME = "TradingView Webhooks"


@pytest.fixture
def admin(db: None) -> Person:
    """The administrator of the organisation Ours."""
    return new_organisation("Ours")[1]


@pytest.fixture
def stranger(db: None) -> Person:
    """The administrator of another organisation."""
    return new_organisation("Theirs")[1]


@pytest.fixture
def made(admin: Person) -> tuple[Bot, BotSecrets]:
    """A bot that reaches nothing, with every way."""
    return create_bot(
        principal=admin.principal,
        name="Trend",
        body_secret=BODY_SECRET,
        certificate_subject=COMMON_NAME,
    )
