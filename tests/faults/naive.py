"""The canary: the usual bot against the same exchange, faults and checker. It must lose and double
orders, else the campaign proves nothing.
"""

import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.faults import naive_queue as queue
from tests.faults.compare import Findings, compare_attempts, compare_orders
from tests.faults.processes import Child
from tests.faults.report import Report, count_faults
from tests.faults.servers import Rehearsal
from tests.faults.sizes import PROFILE

LEGS = {"small": 120, "gate": 300, "long": 1_000}
ACCOUNTS = 24
WORKERS = 4
KILL_EVERY = (0.3, 1.2)
LEAST_AGE = 3.0
LONGEST_SECONDS = {"small": 120.0, "gate": 300.0, "long": 900.0}
# Orders accepted late are still on their way when the last worker is done.
LATE_SECONDS = 4.0


class Bots:
    """The naive workers, kept alive and killed; what a dead one held is queued again."""

    def __init__(self, folder: Path, database: str, exchange: str) -> None:
        self.kills = 0
        self._folder = folder
        self._words = [sys.executable, "-m", "tests.faults.naive_worker", database, exchange]
        self._running: dict[str, Child] = {}
        self._count = 0

    def fill(self) -> None:
        """Start what is missing."""
        while len(self._running) < WORKERS:
            self._count += 1
            name = f"bot{self._count}"
            log = self._folder / f"{name}.log"
            self._running[name] = Child([*self._words, name], log, {"PYTHONPATH": "."})

    def kill_one(self, connection: sqlite3.Connection, chance: random.Random) -> None:
        """kill -9 of one that is old enough to have done something."""
        born_before = time.monotonic() - LEAST_AGE
        names = [name for name, each in self._running.items() if each.started < born_before]
        if names:
            name = chance.choice(names)
            self._end(name)
            queue.hand_out_anew(connection, name)
            self.kills += 1

    def close(self) -> None:
        """Kill all."""
        for name in list(self._running):
            self._end(name)

    def _end(self, name: str) -> None:
        child = self._running.pop(name)
        child.send(signal.SIGKILL)
        child.await_end(10)


def run(size: str, *, seed: int) -> Report:
    """Let the naive bot trade, then let the campaign's own comparison judge it."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="faults-naive-"))
    exchange = Rehearsal(folder, seed)
    bots = None
    try:
        exchange.start()
        database = str(folder / "legs.sqlite3")
        connection = queue.make(database, _legs(LEGS[size], exchange, seed))
        _call(exchange, "/_fault", {"profile": PROFILE, "seed": seed})
        bots = Bots(folder, database, exchange.url)
        _trade(bots, connection, random.Random(f"{seed}:naive"), LONGEST_SECONDS[size])
        bots.close()
        time.sleep(LATE_SECONDS)
        figures = {"seed": seed, "policy": "naive", "seconds": round(time.monotonic() - began)}
        return _judge(exchange, connection, figures | {"kills": {"worker": bots.kills}})
    finally:
        if bots is not None:
            bots.close()
        exchange.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _legs(count: int, exchange: Rehearsal, seed: int) -> list[tuple[str, str, str]]:
    chance = random.Random(f"{seed}:legs")
    names = [f"naive-{number}" for number in range(ACCOUNTS)]
    for name in names:
        body = {
            "api_key": name,
            "api_secret": queue.secret_of(name),
            "balances": {"USDT": "1000000"},
        }
        _call(exchange, "/_account", body)
    return [
        (chance.choice(names), "BTC/USDT", f"{chance.uniform(0.001, 0.02):.5f}")
        for _ in range(count)
    ]


def _trade(
    bots: Bots, connection: sqlite3.Connection, chance: random.Random, longest: float
) -> None:
    give_up_at = time.monotonic() + longest
    while time.monotonic() < give_up_at:
        bots.fill()
        states = Counter(queue.states(connection))
        print(f"naive: {dict(states)} kills={bots.kills}", flush=True)
        if not states[queue.QUEUED] + states[queue.RUNNING]:
            return
        time.sleep(chance.uniform(*KILL_EVERY))
        bots.kill_one(connection, chance)


def _judge(exchange: Rehearsal, connection: sqlite3.Connection, figures: dict[str, Any]) -> Report:
    dump = httpx.get(f"{exchange.url}/dump", timeout=60).json()
    fired = httpx.get(f"{exchange.url}/_fault", timeout=60).json()["fired_counts"]
    findings = Findings()
    legs = queue.legs(connection, dump["accounts"])
    compare_orders(legs, dump["accounts"], queue.PREFIX, findings)
    compare_attempts(dump["requests"], queue.PREFIX, findings)
    figures |= {
        "commands": len(legs),
        "states": queue.states(connection),
        "orders_on_exchange": sum(len(each["orders"]) for each in dump["accounts"].values()),
        "faults": count_faults(fired),
    }
    return Report(figures, dict(findings.counts), findings.examples)


def _call(exchange: Rehearsal, path: str, body: dict[str, Any]) -> None:
    httpx.post(exchange.url + path, json=body, timeout=30).raise_for_status()
