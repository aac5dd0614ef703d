"""`manage.py worker`: one worker process of the distributed mode."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tradingplatform.backends import check_distributed
from tradingplatform.celery import app

ALL_QUEUES = "execution,events,maintenance,notifications"


class Command(BaseCommand):
    """Take tasks with threads that share one event loop of warm exchange connections."""

    help = (
        "Take tasks; needs DATABASE_URL and REDIS_URL. "
        "Examples: `manage.py worker`; `manage.py worker --queues execution --threads 8`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Queues and threads."""
        parser.add_argument("--queues", default=ALL_QUEUES, help="separated by commas")
        parser.add_argument("--threads", type=int, default=12, help="tasks at a time")
        parser.add_argument("--name", default="worker@%h", help="unique, like worker2@%%h")

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until a signal; running tasks end first."""
        check_distributed()
        arguments = ["worker", "--pool", "threads", "--concurrency", str(options["threads"])]
        arguments += ["--queues", options["queues"], "--hostname", options["name"]]
        arguments += ["--without-mingle", "--without-gossip", "--loglevel", "INFO"]
        app.worker_main(arguments)
