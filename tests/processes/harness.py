"""The platform as a test runs it: real processes in the mode of the test run, spoken to over HTTP.

Distributed: `manage.py web`, `worker` and `beat` as children. Embedded: the one `manage.py run`.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from celery import current_app
from django.conf import settings

from tests.ground.ports import free_port
from tests.ground.servers import READY, Process
from tests.trading.conftest import Desk
from tests.waiting import PATIENCE, wait_until
from webhooks.authentication import SIGNATURE_HEADER, sign

WORKER, WEB, BEAT, SERVER = "worker", "web", "beat", "server"


@dataclass(frozen=True, slots=True)
class Reply:
    """One delivery's answer; status 0 when the connection died. ``seconds`` from send to answer."""

    status: int
    body: dict[str, Any]
    seconds: float

    @property
    def data(self) -> dict[str, Any]:
        """The envelope's data."""
        return dict(self.body["data"])


@dataclass
class Platform:
    """Children by role; a role that runs already is left alone by :meth:`start`."""

    command: Callable[..., list[str]]
    environment: dict[str, str]
    api_key: str
    port: int = field(default_factory=free_port)
    running: dict[str, Process] = field(default_factory=dict)
    begun: list[Process] = field(default_factory=list)
    client: httpx.Client = field(
        default_factory=lambda: httpx.Client(verify=False, timeout=PATIENCE)  # noqa: S501
    )

    @property
    def roles(self) -> tuple[str, ...]:
        """What a whole platform consists of in this mode."""
        return (SERVER,) if settings.EMBEDDED else (WEB, WORKER, BEAT)

    @property
    def sender(self) -> str:
        """The role that sends orders."""
        return SERVER if settings.EMBEDDED else WORKER

    @property
    def door(self) -> str:
        """The role that takes alerts."""
        return SERVER if settings.EMBEDDED else WEB

    def start(self, *roles: str, crash_at: str = "", in_role: str = "", threads: int = 4) -> None:
        """Start what is missing of ``roles`` (all of them by default) and wait until it is ready.

        ``in_role`` (the sender by default) is the one that crashes at ``crash_at``.
        """
        target = in_role or self.sender
        fresh = [role for role in roles or self.roles if role not in self.running]
        for role in fresh:
            crash = crash_at if role == target else ""
            self.running[role] = self._launch(role, crash, threads)
        for role in fresh:
            self._await_ready(role)

    def _launch(self, role: str, crash_at: str, threads: int) -> Process:
        kind = role.rstrip("0123456789")
        words = {
            SERVER: ["run"],
            WEB: ["web"],
            BEAT: ["beat"],
            WORKER: ["worker", "--threads", str(threads), "--name", f"{role}@%h"],
        }[kind]
        environment = self.environment | {"PORT": str(self.port), "CRASH_AT": crash_at}
        process = Process(self.command(*words), environment)
        self.begun.append(process)
        return process

    def _await_ready(self, role: str) -> None:
        process = self.running[role]
        kind = role.rstrip("0123456789")
        if kind == SERVER:
            process.wait_for(lambda line: line.startswith(READY))
        elif kind == WORKER:
            wait_until(lambda: answers_ping(role), lambda: f"{role} answers\n{process.output}")
        elif kind == WEB:
            wait_until(lambda: self._is_healthy(process), lambda: f"web answers\n{process.output}")

    def _is_healthy(self, process: Process) -> bool:
        try:
            answer = self.client.get(f"{self.url}/healthz", timeout=10)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    @property
    def url(self) -> str:
        """Where the web process listens."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self, role: str) -> Process:
        """kill -9, and wait for the end."""
        process = self.running.pop(role)
        assert process.end(signal.SIGKILL) == -signal.SIGKILL, process.output
        return process

    def await_death(self, role: str, point: str) -> Process:
        """Wait until a process has killed itself at its crash point."""
        process = self.running.pop(role)
        assert process.exit_code() == -signal.SIGKILL, process.output
        assert f"crash point {point} reached" in process.output, process.output
        return process

    def stop(self) -> None:
        """End every child in good order; kill what does not end."""
        for role in sorted(self.running, reverse=True):
            os.kill(self.running[role].pid, signal.SIGTERM)
        for process in self.running.values():
            process.exit_code()
        self.running.clear()

    def discard(self) -> None:
        """Kill whatever still runs; for teardowns."""
        self.client.close()
        for process in self.begun:
            process.discard()

    def deliver(self, desk: Desk, **fields: str) -> Reply:
        """Post a signed alert to the desk's bot; a connection that dies is status 0."""
        body = alert_body(desk, **fields)
        headers = {
            SIGNATURE_HEADER: sign(desk.secrets.hmac_secret, body),
            "Content-Type": "application/json",
        }
        address = f"{self.url}/api/v1/webhook/tradingview"
        began = time.monotonic()
        try:
            answer = self.client.post(address, content=body, headers=headers)
        except httpx.TransportError:
            return Reply(0, {}, time.monotonic() - began)
        return Reply(answer.status_code, answer.json(), time.monotonic() - began)

    def told(self, correlation_id: str) -> dict[str, Any]:
        """The signal's end state as the API tells it."""
        answer = self.client.get(
            f"{self.url}/api/v1/webhook/signals/{correlation_id}",
            headers={"x-api-key": self.api_key},
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        return dict(answer.json()["data"])


def answers_ping(role: str) -> bool:
    """Whether a worker of this name takes tasks."""
    found = current_app.control.ping(timeout=0.3) or []
    return any(name.startswith(f"{role}@") for answer in found for name in answer)


def tasks_done(task: str) -> dict[str, int]:
    """How many tasks of this name each running worker has taken."""
    stats = current_app.control.inspect(timeout=1.0).stats() or {}
    return {name.split("@")[0]: each["total"].get(task, 0) for name, each in stats.items()}


def alert_body(desk: Desk, **fields: str) -> bytes:
    """The alert as it is sent; the same desk and fields give the same bytes."""
    alert = {
        "botname": desk.bot.name,
        "alert_id": f"alert-of-{desk.bot.name}",
        "symbol": "BTCUSDT",
        "side": "buy",
        "order_type": "market",
        "size": "2",
        **fields,
    }
    return json.dumps(alert).encode()
