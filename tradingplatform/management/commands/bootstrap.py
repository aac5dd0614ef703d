"""`manage.py bootstrap`: the first organisation and admin, for the distributed mode."""

from typing import Any

from django.core.management.base import BaseCommand

from tradingplatform.backends import check_backends, check_migrated
from tradingplatform.embedded.bootstrap import bootstrap_installation, login_lines


class Command(BaseCommand):
    """Make organisation and admin in an empty database; harmless where users exist."""

    help = (
        "Make the first organisation and its admin (settings DB_BOOTSTRAP_*). "
        "Examples: `manage.py bootstrap`; `DB_BOOTSTRAP_ORG_NAME=Desk manage.py bootstrap`."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the login once."""
        check_backends()
        check_migrated()
        credentials = bootstrap_installation()
        if credentials is None:
            self.stdout.write("There are users already: nothing to do")
            return
        self.stdout.write(login_lines(credentials))
