"""Everything the bench runs on: own servers, the mock exchange, the floor, the platform."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exchanges.transport import STOCK
from tests.bench.lines import ROOT, LineChild
from tests.bench.process import Child
from tests.bench.servers import Postgres, Redis
from tests.ground.ports import free_port

START_SECONDS = 120.0
A_DAY = "86400"
VENUES = ("mock", "mock2", "mock3")
# Far above what the mock answers: the budget is not what is measured.
BUDGET = 100_000


def wait_until(
    condition: Callable[[], Any], what: str, seconds: float = START_SECONDS, pause: float = 0.01
) -> Any:
    """The condition's first true value; TimeoutError with ``what`` when the time is up."""
    give_up_at = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"after {seconds:.0f} s still not: {what}")
        time.sleep(pause)
    return value


class Mock(Child):
    """The mock exchange as a process, and its control routes."""

    def __init__(self) -> None:
        self.port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.venue", str(self.port)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        super().__init__("mock exchange", process)
        assert process.stdout is not None
        process.stdout.readline()
        self.url = f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str) -> Any:
        """Use a control route."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def reset(self) -> None:
        """Count anew."""
        self.ask("POST", "/_reset")

    def count(self) -> dict[str, Any]:
        """What arrived since the reset."""
        return dict(self.ask("GET", "/_count"))

    def delay(self, ms: int) -> None:
        """How far away the exchange is."""
        self.ask("POST", f"/_delay?ms={ms}")


class Server(Child):
    """One process of the platform, with its log in a file."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path):
        self.log = log
        self.began = time.monotonic()
        with log.open("w") as stream:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT
            )
        super().__init__(name, process)  # type: ignore[arg-type]

    def await_line(self, text: str) -> float:
        """Seconds from the start until a line holds ``text``."""

        def is_there() -> bool:
            if not self.is_running():
                raise RuntimeError(f"{self.name} ended:\n{self.log.read_text()[-2000:]}")
            return text in self.log.read_text()

        wait_until(is_there, f"{self.name} says {text!r}")
        return time.monotonic() - self.began


class Stage:
    """Owns what was started; :meth:`close` ends all of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self.folder.chmod(0o755)
        self._started: list[Child] = []
        self._names: set[str] = set()
        self.mock = self.own(Mock())
        self.postgres: Postgres | None = None
        self.redis: Redis | None = None

    def own(self, child: Any) -> Any:
        """Remember a child, to end it at the close."""
        self._started.append(child)
        return child

    def servers(self) -> tuple[Postgres, Redis]:
        """PostgreSQL and Redis, started on first use."""
        if self.postgres is None or self.redis is None:
            self.postgres = self.own(Postgres(self.folder / "postgresql"))
            self.redis = self.own(Redis())
        assert self.postgres is not None
        assert self.redis is not None
        return self.postgres, self.redis

    def environment(self, name: str, *, embedded: bool = False, **values: str) -> dict[str, str]:
        """The environment of a platform of its own; distributed ones get a new database."""
        data = self.folder / name
        data.mkdir(exist_ok=True)
        place = {"ccxt": "binance", "base_url": self.mock.url, "requests_per_second": BUDGET}
        own = {
            "DATA_DIR": str(data),
            "PORT": str(free_port()),
            "EXCHANGE_VENUES": json.dumps(dict.fromkeys(VENUES, place)),
            "BALANCE_MAX_AGE_SECONDS": A_DAY,
            "QUOTE_MAX_AGE_SECONDS": A_DAY,
            "BENCH_STOPWATCH": str(data / "stopwatch"),
            "STREAMS": "false",
            "DEMO": "false",
        }
        if not embedded:
            postgres, redis = self.servers()
            own |= {"REDIS_URL": redis.url, "DATABASE_URL": postgres.create(name)}
        return _clean_environment() | own | values

    def desk(self, environment: dict[str, str]) -> LineChild:
        """A desk on that platform."""
        return self.own(LineChild("tests.bench.desk", environment=environment))  # type: ignore[no-any-return]

    def floor(self, accounts: int, transport: str = STOCK) -> LineChild:
        """Bare ccxt with so many warm accounts over one of our transports."""
        words = (self.mock.url, str(accounts), transport)
        return self.own(LineChild("tests.bench.floor", *words))  # type: ignore[no-any-return]

    def manage(self, environment: dict[str, str], *words: str, timed: bool = False) -> Server:
        """A management command as a process; a ``timed`` worker carries the stopwatch."""
        program = ["-m", "tests.bench.stopwatch"] if timed else ["manage.py"]
        number = len(self._started)
        log = self.folder / f"{number}-{words[0]}.log"
        server = Server(words[0], [sys.executable, *program, *words], environment, log)
        return self.own(server)  # type: ignore[no-any-return]

    def warm_worker(self, environment: dict[str, str], *, threads: int = 12) -> Server:
        """A worker whose accounts are warm and whose first look is over."""
        worker = self.manage(environment, "worker", "--threads", str(threads), timed=True)
        worker.await_line("accounts are warm")
        return worker

    def close(self) -> None:
        """End every child, the last started first, and remove the folder."""
        for child in reversed(self._started):
            child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _clean_environment() -> dict[str, str]:
    unset = ("DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE", "EXCHANGE_VENUES")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return kept | {
        "DOTENV_PATH": os.devnull,
        "SECRET_KEY": "a-secret-key-for-the-bench-only-0123456789abcdef",
        "JWT_SIGNING_KEY": "a-signing-key-for-the-bench-only-0123456789abcd",
        "CREDENTIAL_KEYS": "YmVuY2gtb25seS1mZXJuZXQta2V5LTAxMjM0NTY3ODk=",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "LOG_LEVEL": "INFO",
        "PYTHONUNBUFFERED": "1",
    }
