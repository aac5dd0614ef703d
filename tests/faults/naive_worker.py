"""The usual bot's worker: retry on any exception, never ask, acknowledge after the send.

``python -m tests.faults.naive_worker DATABASE EXCHANGE NAME`` takes queued legs until it is killed.
Every second leg keeps one client id for all tries, the others get a fresh id per try.
"""

import sqlite3
import sys
import time

from tests.exchanges.simulator_harness import sync_client
from tests.faults.naive_queue import Task, claim, finish, secret_of
from tests.faults.sizes import VENUE_TIMEOUT_MS

TRIES = 3
PAUSE = 0.2


def place(client: object, task: Task) -> str | None:
    """The id of the exchange's order, None after the last try."""
    for attempt in range(TRIES):
        name = task.client_id(0 if task.leg % 2 else task.tries * TRIES + attempt)
        try:
            order = client.create_order(  # type: ignore[attr-defined]
                task.symbol, "market", "buy", task.quantity, None, {"newClientOrderId": name}
            )
            return str(order["id"])
        except Exception:  # noqa: BLE001 - this is the mistake that the canary makes
            time.sleep(PAUSE)
    return None


def work(database: str, exchange: str, worker: str) -> None:
    """Take legs for ever."""
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    clients: dict[str, object] = {}
    while True:
        task = claim(connection, worker)
        if task is None:
            time.sleep(PAUSE)
            continue
        if task.account not in clients:
            client = sync_client(exchange, task.account, secret_of(task.account))
            client.timeout = VENUE_TIMEOUT_MS
            client.options["fetchMarkets"] = {"types": ["spot"]}
            clients[task.account] = client
        finish(connection, task, place(clients[task.account], task))


if __name__ == "__main__":
    work(*sys.argv[1:4])
