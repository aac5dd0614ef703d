"""Forks management commands on request, one JSON line each; answers with the process id."""

import ctypes
import json
import os
import signal
import sys
from typing import Any, NoReturn

from celery import current_app
from django.core.management import execute_from_command_line
from django.urls import get_resolver

import tradingplatform.worker_life  # noqa: F401 - what a worker imports at its start
from trading.services import lanes
from tradingplatform.asgi import application

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def serve() -> None:
    """Fork until the other side closes the pipe. Ended children are reaped by the kernel."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(wanted)
        print(pid, flush=True)


def _become(wanted: dict[str, Any]) -> NoReturn:
    """The forked process: end with the nursery, write to the log, run the command."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    empty = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((empty, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.setsid()
    # The name under which a process holds lanes is made at its start: a fork needs one of its own.
    lanes.here = lanes.Lanes()
    code = 0
    try:
        execute_from_command_line(["manage.py", *wanted["words"]])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    # Loaded before the first fork, so that no fork pays for it.
    current_app.loader.import_default_modules()
    get_resolver().url_patterns  # noqa: B018
    assert application is not None
    serve()
