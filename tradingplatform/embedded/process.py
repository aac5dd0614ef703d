"""Starts everything in one process in the right order, and ends it in the reverse one."""

import logging
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from exchanges import gateway
from trading.services import streaming
from tradingplatform.asgi import application
from tradingplatform.backends import check_backends, not_ready, pending_migrations
from tradingplatform.celery import app
from tradingplatform.dotenv import DEFAULT_PORT
from tradingplatform.embedded.bootstrap import (
    bootstrap_demo,
    bootstrap_installation,
    login_lines,
)
from tradingplatform.embedded.lock import AlreadyServed, server_lock
from tradingplatform.embedded.rehearsal import Rehearsal, local_rehearsal_port
from tradingplatform.embedded.server import DrainingServer
from tradingplatform.embedded.worker import BeatThread, WorkerThread
from tradingplatform.worker_life import first_look, lane_life

logger = logging.getLogger(__name__)
EXIT_REFUSED = 1
# A venue that takes longer does not keep the platform from starting.
FIRST_LOOK_SECONDS = 3.0


def run_embedded(say: Callable[[str], None]) -> None:
    """Serve until a signal; `say` prints lines for people.

    Nothing is touched before the lock is held. The engine's loop ends last, when neither a request
    nor a task can need it any more.
    """
    check_backends()
    with ExitStack() as stack:
        lock = server_lock()
        try:
            lock.acquire()
        except AlreadyServed as error:
            sys.stderr.write(f"Refused: {error}\n")
            raise SystemExit(EXIT_REFUSED) from None
        stack.callback(lock.release)
        _check_port()
        _start_and_serve(stack, say)


def _check_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError:
            not_ready(f"port {settings.PORT} of setting PORT is taken on this machine")


def _start_and_serve(stack: ExitStack, say: Callable[[str], None]) -> None:
    rehearsal = _start_rehearsal(stack)
    if pending_migrations():
        say("Preparing the database ...")
        call_command("migrate", verbosity=0, interactive=False)
    credentials = bootstrap_installation()
    if credentials is not None:
        say(login_lines(credentials))
    if rehearsal is not None:
        try:
            rehearsal.wait_until_ready()
        except TimeoutError as error:
            not_ready(f"{error} (setting REHEARSAL_PORT)")
    stack.callback(connections.close_all)
    stack.callback(gateway.shutdown)
    worker, beat = WorkerThread(app), BeatThread(app)
    lane_life.start(alone=True)
    stack.callback(lane_life.stop)
    streaming.start()
    stack.callback(streaming.stop)
    worker.start()
    stack.callback(worker.stop)
    bootstrap_demo(rehearsal_port=local_rehearsal_port())
    beat.start()
    stack.callback(beat.join)
    stack.callback(beat.begin_to_stop)
    look = first_look()
    look.start()
    look.join(FIRST_LOOK_SECONDS)
    server = DrainingServer(application, settings.HOST, settings.PORT)
    server.ready_callable = lambda: say(first_steps())
    server.serve()
    if server.failed_to_listen:
        not_ready(f"port {settings.PORT} of setting PORT cannot be opened")
    say("Stopping ...")


def _start_rehearsal(stack: ExitStack) -> Rehearsal | None:
    port = local_rehearsal_port()
    if port is None:
        return None
    rehearsal = Rehearsal(port, settings.DATA_DIR / "rehearsal")
    if rehearsal.answers():
        logger.info("A rehearsal exchange answers on port %s already: using it", port)
        return None
    rehearsal.start()
    stack.callback(rehearsal.stop)
    return rehearsal


def first_steps() -> str:
    """The words after the start: where to look and how to send a first signal."""
    address = f"http://{settings.HOST}:{settings.PORT}"
    prefix = "" if settings.PORT == DEFAULT_PORT else f"PORT={settings.PORT} "
    return "\n".join(
        [
            f"The platform is ready at {address}",
            f"  Dashboard     {address}/dashboard/",
            f"  Console       {address}/admin/",
            f"  API pages     {address}/api/docs/",
            f"  First signal  {prefix}make signal   (in a second terminal)",
            "  Stop          Ctrl-C",
        ]
    )
