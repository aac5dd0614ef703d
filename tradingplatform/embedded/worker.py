"""Celery's worker and beat as threads of this process."""

import logging
import threading
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.worker.worker import WorkController
from django.db import connections

logger = logging.getLogger(__name__)
CONCURRENCY = 12
START_SECONDS = 30
STOP_SECONDS = 30


class WorkerThread:
    """A Celery worker of `CONCURRENCY` task threads; unlike the program it installs no handlers."""

    def __init__(self, app: Celery) -> None:
        self._ready = threading.Event()
        self._controller = WorkController(
            app=app,
            pool="threads",
            concurrency=CONCURRENCY,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
            ready_callback=self._on_ready,
        )
        self._thread = threading.Thread(target=self._run, name="celery-worker", daemon=True)

    def start(self) -> None:
        """Return once the worker takes messages; raises TimeoutError."""
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError("the worker did not become ready")

    def stop(self) -> None:
        """Take no new task, wait for those that run, end the thread."""
        self._controller.stop()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            logger.warning("The worker still runs a task; leaving it behind")

    def _on_ready(self, consumer: Any) -> None:
        self._ready.set()

    def _run(self) -> None:
        try:
            self._controller.start()
        finally:
            connections.close_all()


class BeatThread:
    """Beat with the schedule of the database; it must be told, the setting is ignored here."""

    def __init__(self, app: Celery) -> None:
        self._thread = EmbeddedService(
            app, thread=True, scheduler_cls="django_celery_beat.schedulers:DatabaseScheduler"
        )

    def start(self) -> None:
        """Start sending wake-ups."""
        self._thread.start()

    def begin_to_stop(self) -> None:
        """Ask beat to end; `join` waits for it. Beat looks up once a second."""
        self._thread.service.stop(wait=False)

    def join(self) -> None:
        """Wait until beat has ended."""
        self._thread.join(STOP_SECONDS)
