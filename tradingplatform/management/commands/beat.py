"""`manage.py beat`: the clock of the distributed mode."""

from typing import Any

from django.core.management.base import BaseCommand

from tradingplatform.backends import check_distributed
from tradingplatform.celery import app


class Command(BaseCommand):
    """Send the periodic wake-ups; run exactly one."""

    help = (
        "Send the periodic wake-ups; needs DATABASE_URL and REDIS_URL; run exactly one. "
        "Examples: `manage.py beat`; `LOG_JSON=true manage.py beat`."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal."""
        check_distributed()
        app.start(["beat", "--loglevel", "INFO"])
