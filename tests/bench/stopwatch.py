"""A worker with a stopwatch: `python -m tests.bench.stopwatch worker ...` is `manage.py worker ...`
that tells the socket of `BENCH_STOPWATCH` when answers arrived and when rows were written.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import django
from django.core.management import execute_from_command_line

SETTING = "BENCH_STOPWATCH"


class Stopwatch:
    """Counts acks and written answers, with the monotonic time of the last of each."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._address = address
        self._acks = self._written = 0
        self._acked_at = 0.0

    def timed_send(self, send_all: Callable[..., Any]) -> Callable[..., Any]:
        """``Gateway.send_all`` whose sink notes the time."""

        async def timed(gateway: Any, sendings: Any, sink: Callable[..., None]) -> None:
            def note(*answer: Any) -> None:
                self._acked_at = time.monotonic()
                self._acks += 1
                sink(*answer)

            await send_all(gateway, sendings, note)

        return timed

    def timed_write(self, write_back: Callable[[Any], None]) -> Callable[[Any], None]:
        """``execution.write_back`` that tells when its transaction was over."""

        def timed(batch: Any) -> None:
            rows = list(batch)
            write_back(rows)
            self._written += len(rows)
            figures = {
                "pid": os.getpid(),
                "acks": self._acks,
                "acked_at": self._acked_at,
                "written": self._written,
                "written_at": time.monotonic(),
            }
            with suppress(OSError):  # nobody listens: a measurement must not disturb
                self._socket.sendto(json.dumps(figures).encode(), self._address)

        return timed


def main() -> None:
    """Wind the watch up, then be the program."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingplatform.settings")
    django.setup()
    from exchanges.gateway import Gateway
    from trading.services import execution

    watch = Stopwatch(os.environ[SETTING])
    Gateway.send_all = watch.timed_send(Gateway.send_all)  # type: ignore[method-assign]
    execution.write_back = watch.timed_write(execution.write_back)  # type: ignore[assignment]
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
