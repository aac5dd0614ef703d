"""The naive bot's queue and ledger in one SQLite table; what a dead worker held is handed out anew,
as by a broker that wants its acknowledgement after the work.
"""

import re
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tests.faults.compare import Leg

PREFIX = "nv"
QUEUED, RUNNING, PLACED, FAILED = "queued", "running", "placed", "failed"
_ID = re.compile(rf"{PREFIX}(\d+)n\d+\Z")
_TABLE = (
    "CREATE TABLE legs (leg INTEGER PRIMARY KEY, account TEXT, symbol TEXT, quantity TEXT,"
    " state TEXT DEFAULT 'queued', worker TEXT DEFAULT '', tries INTEGER DEFAULT 0,"
    " order_id TEXT DEFAULT '')"
)


@dataclass(frozen=True, slots=True)
class Task:
    """One leg to send; ``tries`` counts its earlier deliveries."""

    leg: int
    account: str
    symbol: str
    quantity: float
    tries: int

    def client_id(self, number: int) -> str:
        """The client id of one try."""
        return f"{PREFIX}{self.leg}n{number}"


def secret_of(account: str) -> str:
    """The secret of an account at the exchange."""
    return f"secret-of-{account}"


def make(database: str, legs: list[tuple[str, str, str]]) -> sqlite3.Connection:
    """A queue with these legs: account, symbol, quantity."""
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(_TABLE)
    connection.executemany("INSERT INTO legs (account, symbol, quantity) VALUES (?, ?, ?)", legs)
    return connection


def claim(connection: sqlite3.Connection, worker: str) -> Task | None:
    """Take the next leg."""
    row = connection.execute(
        "UPDATE legs SET state = ?, worker = ? WHERE leg ="
        " (SELECT min(leg) FROM legs WHERE state = ?)"
        " RETURNING leg, account, symbol, quantity, tries",
        (RUNNING, worker, QUEUED),
    ).fetchone()
    return None if row is None else Task(row[0], row[1], row[2], float(row[3]), row[4])


def finish(connection: sqlite3.Connection, task: Task, order_id: str | None) -> None:
    """Write what became of a leg."""
    connection.execute(
        "UPDATE legs SET state = ?, order_id = ? WHERE leg = ?",
        (FAILED if order_id is None else PLACED, order_id or "", task.leg),
    )


def hand_out_anew(connection: sqlite3.Connection, worker: str) -> None:
    """What a dead worker was at goes back into the queue."""
    connection.execute(
        "UPDATE legs SET state = ?, tries = tries + 1 WHERE state = ? AND worker = ?",
        (QUEUED, RUNNING, worker),
    )


def states(connection: sqlite3.Connection) -> dict[str, int]:
    """How many legs are in each state."""
    return dict(connection.execute("SELECT state, count(*) FROM legs GROUP BY state"))


def legs(connection: sqlite3.Connection, accounts: dict[str, Any]) -> list[Leg]:
    """The ledger as the comparison sees it; the ids of all tries are read off the exchange's own
    books, since the bot keeps none.
    """
    used: dict[int, set[str]] = defaultdict(set)
    for books in accounts.values():
        for order in books["orders"]:
            match = _ID.match(order["clientOrderId"])
            if match:
                used[int(match.group(1))].add(order["clientOrderId"])
    rows = connection.execute("SELECT leg, account, state, order_id FROM legs")
    return [
        Leg(account, f"leg {leg} {state}", frozenset(used[leg]), order_id, state == PLACED)
        for leg, account, state, order_id in rows
    ]
