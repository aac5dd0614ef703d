"""`manage.py run`: the whole platform in one process."""

from typing import Any

from django.core.management.base import BaseCommand

from tradingplatform.embedded.process import run_embedded


class Command(BaseCommand):
    """Start server, worker, beat and rehearsal exchange; Ctrl-C ends them in order."""

    help = (
        "Run the whole platform in one process. The first start writes .env, prepares the database "
        "and makes an organisation, its admin and a demo. "
        "Examples: `manage.py run`; `PORT=8080 manage.py run`."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until a signal."""
        run_embedded(self._say)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
