"""The stage: every server and process of one campaign, started, kept alive, killed, removed."""

import base64
import json
import os
import random
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.faults.processes import Forked, Nursery, run_inside
from tests.faults.servers import Postgres, Redis, Rehearsal, Server
from tests.faults.sizes import VENUE_TIMEOUT_MS, Size
from tests.ground.ports import free_port

WORKER, WEB, BEAT, SERVER = "worker", "web", "beat", "server"
# A process younger than this is left alone, so that some live long enough to do something. One that
# answers callers grows older from its first answer on: on a busy machine its start takes as long.
LEAST_AGE = 5.0
ANSWERING = (WEB, SERVER)
LOOK_EVERY = 0.05
# As a service manager does: what ended by itself is started again a little later.
RESTART_AFTER = 1.0
READY_SECONDS = 120.0


class Stage:
    """Use it as a context; whatever happens, nothing runs and nothing lies about afterwards.

    ``kills`` counts what was killed by role, ``deaths`` what ended by itself.
    """

    def __init__(self, size: Size, *, seed: int, mode: str, keep: bool = False) -> None:
        self.size = size
        self.mode = mode
        self.kills: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()
        self.folder = Path(tempfile.mkdtemp(prefix="faults-"))
        self.folder.chmod(0o711)
        self.port = free_port()
        self.exchange = Rehearsal(self.folder, seed)
        self.postgres = Postgres(self.folder)
        self.redis = Redis(self.folder)
        self.keep = keep
        self._nursery: Nursery | None = None
        self._running: dict[str, Forked] = {}
        self._not_before: dict[str, float] = {}
        self._stopped: set[str] = set()
        self._wanted: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._watch = threading.Thread(target=self._keep_alive, daemon=True)
        self.environment = self._make_environment()

    def _make_environment(self) -> dict[str, str]:
        """An installation of its own. Only patience is changed: the venue's time-out and the
        wait for an answer are shorter, and balances and prices may be older, since those who read
        them are killed all the time.
        """
        venues = {"rehearsal": {"ccxt": "binance", "base_url": self.exchange.url}}
        data = self.folder / "var"
        data.mkdir()
        own = {
            "DATA_DIR": str(data),
            "DOTENV_PATH": os.devnull,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "JWT_SIGNING_KEY": secrets.token_urlsafe(48),
            "CREDENTIAL_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "EXCHANGE_VENUES": json.dumps(venues),
            "EXCHANGE_TIMEOUT_MS": str(VENUE_TIMEOUT_MS),
            "BALANCE_MAX_AGE_SECONDS": "600",
            "QUOTE_MAX_AGE_SECONDS": "600",
            "RECONCILE_SECONDS": "5",
            "WEBHOOK_WAIT_SECONDS": "0.5",
            "PORT": str(self.port),
            "DEMO": "false",
            "PYTHONUNBUFFERED": "1",
        }
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        if self.mode == "embedded":
            return inherited | own
        servers = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}
        return inherited | own | servers

    def __enter__(self) -> "Stage":
        starts = [self.exchange.start]
        if self.mode != "embedded":
            starts += [self.postgres.make, self.redis.start]
        try:
            # It imports everything while the servers start and the tables are made.
            self._nursery = Nursery(self.environment, self.folder / "nursery.log")
            with ThreadPoolExecutor() as pool:
                for started in [pool.submit(start) for start in starts]:
                    started.result()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def furnish(self) -> dict[str, Any]:
        """Tables, organisations, accounts, bots, groups; returns what clients need to know."""
        given = {
            "organisations": self.size.organisations,
            "accounts": self.size.accounts,
            "exchange": self.exchange.url,
        }
        return dict(self.inside("furnish", given))

    def inside(self, module: str, given: dict[str, Any]) -> Any:
        """Run a part that uses the models; see ``run_inside``."""
        return run_inside(module, self.environment, given, self.folder / f"{module}.log")

    def open(self) -> None:
        """Start the platform and return once it answers; from then on what dies is replaced."""
        workers = tuple(f"{WORKER}{number}" for number in range(self.size.workers))
        self._wanted = (SERVER,) if self.mode == "embedded" else (WEB, BEAT, *workers)
        self._watch.start()
        give_up_at = time.monotonic() + READY_SECONDS
        while not self.is_healthy():
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"the platform does not answer, see {self.folder}")
            time.sleep(0.1)

    @property
    def url(self) -> str:
        """Where the platform listens."""
        return f"http://127.0.0.1:{self.port}"

    def is_healthy(self) -> bool:
        """Whether the platform answers."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def fault_counts(self) -> dict[str, int]:
        """What the exchange has let fire so far."""
        counts: dict[str, int] = self.exchange_call("GET", "/_fault")["fired_counts"]
        return counts

    def exchange_call(self, method: str, path: str, body: Any = None) -> Any:
        """Use one of the exchange's operator routes; raises ``httpx.HTTPError``."""
        answer = httpx.request(method, self.exchange.url + path, json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    # Killing

    def kill_one(self, role: str, chance: random.Random) -> bool:
        """kill -9 of one process of a role; False when none is old enough."""
        with self._lock:
            names = [name for name in self._old_enough(role) if name not in self._stopped]
            if not names:
                return False
            process = self._running.pop(chance.choice(sorted(names)))
            process.send(signal.SIGKILL)
        process.await_end(10)
        self.kills[role] += 1
        return True

    def kill_server(self, server: Server, name: str, down: float) -> None:
        """kill -9 of PostgreSQL or Redis; it comes back after ``down`` seconds."""
        server.kill()
        self.kills[name] += 1
        time.sleep(down)
        server.start()

    def stop_one(self, role: str, chance: random.Random, seconds: float) -> None:
        """SIGSTOP of one process, SIGCONT after so many seconds."""
        with self._lock:
            names = sorted(self._old_enough(role))
            if not names:
                return
            name = chance.choice(names)
            process = self._running[name]
            self._stopped.add(name)
        process.send(signal.SIGSTOP)
        self.kills[f"stopped_{role}"] += 1
        self._ending.wait(seconds)
        process.send(signal.SIGCONT)
        with self._lock:
            self._stopped.discard(name)

    def stop_exchange(self, seconds: float) -> None:
        """SIGSTOP of the exchange for a while."""
        self.exchange.send(signal.SIGSTOP)
        self.kills["stopped_exchange"] += 1
        time.sleep(seconds)
        self.exchange.send(signal.SIGCONT)

    def _old_enough(self, role: str) -> list[str]:
        born_before = time.monotonic() - LEAST_AGE
        return [
            name
            for name, process in self._running.items()
            if name.rstrip("0123456789") == role
            and process.ready_at is not None
            and process.ready_at < born_before
        ]

    # Keeping alive

    def _keep_alive(self) -> None:
        while not self._ending.wait(LOOK_EVERY):
            self._note_answers()
            with self._lock:
                for name in self._wanted:
                    process = self._running.get(name)
                    if process is None and self._not_before.get(name, 0) < time.monotonic():
                        self._running[name] = self._launch(name)
                    elif process is not None and not process.is_alive():
                        self.deaths[name.rstrip("0123456789")] += 1
                        self._not_before[name] = time.monotonic() + RESTART_AFTER
                        del self._running[name]

    def _note_answers(self) -> None:
        """Let the web process, or the one server, be as old as its first answer."""
        young = [self._running.get(name) for name in ANSWERING]
        for process in young:
            if process is not None and process.ready_at is None and self.is_healthy():
                process.ready_at = time.monotonic()

    def _launch(self, name: str) -> Forked:
        kind = name.rstrip("0123456789")
        words = {
            SERVER: ["run"],
            WEB: ["web"],
            BEAT: ["beat"],
            WORKER: ["worker", "--threads", "8", "--name", f"{name}-{secrets.token_hex(3)}@%h"],
        }[kind]
        assert self._nursery is not None
        process = self._nursery.fork(words, self.folder / f"{name}.log")
        process.ready_at = None if kind in ANSWERING else process.started
        return process

    def close(self) -> None:
        """Stop everything; remove the folder unless it is to be kept."""
        self._ending.set()
        if self._watch.is_alive():
            self._watch.join(10)
        for process in self._running.values():
            process.send(signal.SIGKILL)
        if self._nursery is not None:
            self._nursery.close()
        for server in (self.exchange, self.redis, self.postgres):
            server.stop()
        if self.keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
