"""Two organisations, and receivers in the private network, which the operator allows here."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from common.principal import Principal
from events import consumers
from events.log import publish
from events.sequencer import number_events
from monitoring import delivery
from monitoring.channels import create_channel
from monitoring.models import NotificationChannel
from monitoring.notices import CONSUMER, topics
from tests.monitoring.receiver import Receiver, receiving
from tests.users.people import Person, new_organisation

ALL = [topic.name for topic in topics()]


@pytest.fixture(autouse=True)
def _private_addresses(settings: Any) -> None:
    settings.NOTIFY_PRIVATE_ADDRESSES = True


@pytest.fixture
def admin(db: None) -> Person:
    """The administrator of the organisation Ours."""
    return new_organisation("Ours")[1]


@pytest.fixture
def stranger(db: None) -> Person:
    """The administrator of another organisation."""
    return new_organisation("Theirs")[1]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who listens."""
    with receiving() as found:
        yield found


@pytest.fixture
def second() -> Iterator[Receiver]:
    """Somebody else who listens."""
    with receiving() as found:
        yield found


@pytest.fixture
def make_channel(admin: Person) -> Callable[..., NotificationChannel]:
    """A channel of our organisation that is told of everything, unless topics are named."""

    def make(
        address: str, *, name: str = "desk", wants: list[str] = ALL, by: Principal | None = None
    ) -> NotificationChannel:
        return create_channel(
            principal=by or admin.principal, name=name, address=address, topics=wants
        )

    return make


def happen(person: Person, kind: str, **payload: Any) -> None:
    """Publish an event of the person's organisation."""
    publish(kind, organisation_id=person.principal.organisation_id, topics=(), payload=payload)


def note() -> int:
    """Number events and let the consumer of notices run; how many events it was handed."""
    number_events()
    mine = [each for each in consumers.registered() if each.name == CONSUMER]
    return consumers.run_consumers(mine)


def deliver() -> int:
    """Notices first, then whatever may go out now; how many messages went."""
    note()
    return delivery.deliver_due()


def due_again(*channels: NotificationChannel) -> None:
    """The pause after a failure is over."""
    NotificationChannel.objects.filter(pk__in=[row.pk for row in channels]).update(held_until=None)
