"""The bench's newsroom: a process that writes events and numbers them, as a worker does.

`python -m tests.bench.newsroom` reads its database from the environment and runs the commands it
reads.
"""

import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingplatform.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from events.log import publish  # noqa: E402
from events.sequencer import number_events  # noqa: E402
from tests.bench.lines import serve_lines  # noqa: E402
from users.models import Organisation, Role  # noqa: E402
from users.services import create_api_key, create_organisation, create_user  # noqa: E402

# So big that the buffers of a client which does not read are soon full.
PADDING = "x" * 8_000


class Newsroom:
    """An organisation whose events come at a steady pace."""

    def prepare(self) -> list[str]:
        """Make the tables, the organisation and a reader; its number and its key."""
        call_command("migrate", verbosity=0)
        reader = create_user(
            organisation=create_organisation(name="Bench"),
            username="reader",
            email="reader@example.com",
            password=None,
            role=Role.ADMIN,
        )
        return [str(reader.pk), create_api_key(user=reader, label="bench")[1]]

    def tell(self, count: int, pause: float) -> None:
        """Write so many events of 8 KB, each with the moment it was numbered at."""
        organisation = Organisation.objects.get()
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(began + number * pause - time.monotonic(), 0))
            publish(
                "bench.news",
                organisation_id=organisation.pk,
                topics=(),
                payload={"at": time.monotonic(), "n": number, "padding": PADDING},
            )
            number_events()


if __name__ == "__main__":
    room = Newsroom()
    serve_lines({"prepare": room.prepare, "tell": room.tell})
