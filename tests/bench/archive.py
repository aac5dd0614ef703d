"""A ledger with a million orders and as many deals, and the lists of 000 read from it.

`python -m tests.bench.archive` reads its database from the environment and runs the commands it
reads. Rows are made by the database itself, from one prototype each.
"""

import json
import os
import statistics
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingplatform.settings")
django.setup()

from django.db import connection, models  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from accounts.models import Account  # noqa: E402
from common.clock import now  # noqa: E402
from tests.bench.desk import Desk  # noqa: E402
from tests.bench.lines import serve_lines  # noqa: E402
from trading import states  # noqa: E402
from trading.models import Deal, Order, Position  # noqa: E402

LIMIT = 50
# So many orders still work and so many positions are open.
LIVE_ROWS = 1_000
MODELS: dict[str, type[models.Model]] = {"orders": Order, "deals": Deal, "positions": Position}
SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan")


class Archive(Desk):
    """The first account has half of all rows, the others share the rest, row by row."""

    def fill(self, rows: int) -> int:
        """Make so many orders and deals; how many orders there are then."""
        account = Account.objects.order_by("pk")[0]
        common = {"organisation_id": account.organisation_id, "account": account}
        facts = {"book": account.book, "symbol": "BTC/USDT", "side": "buy", "quantity": 1}
        order = Order.objects.create(
            **common, **facts, uid="00000000-0000-0000-0000-000000000000", type="market",
            state=states.FILLED, reason="external", client_order_id="x", exchange_order_id="x",
        )  # fmt: skip
        deal = Deal.objects.create(
            **common, **facts, price=50_000, net_quantity=1, exchange_trade_id="x",
            executed_at=now(), reason="external",
        )  # fmt: skip
        choice = "CASE WHEN n % 2 = 0 THEN {0} ELSE {0} + (n / 2) % (SELECT count(*) FROM {1}) END"
        account_id = choice.format(account.pk, connection.ops.quote_name(Account._meta.db_table))
        moment = f"now() - make_interval(secs => {rows} - n)"
        working = f"CASE WHEN n % {rows // LIVE_ROWS} = 0 THEN 'OPEN' ELSE 'FILLED' END"
        own = {"account_id": account_id, "created_at": moment}
        _multiply(
            order, rows, {**own, "uid": "gen_random_uuid()", "state": working,
            "client_order_id": "'c' || n", "exchange_order_id": "'e' || n"},
        )  # fmt: skip
        _multiply(deal, rows, {**own, "executed_at": moment, "exchange_trade_id": "'t' || n"})
        position = Position.objects.create(
            **common, book=account.book, symbol="BTC/USDT", side="buy", is_netting=False,
            quantity=0, state=Position.State.CLOSED,
        )  # fmt: skip
        held = {"account_id": account_id, "opened_at": moment}
        held |= {
            name: f"CASE WHEN n % {rows // LIVE_ROWS} = 0 THEN {yes} ELSE {no} END"
            for name, yes, no in (("quantity", "1", "0"), ("state", "'open'", "'closed'"))
        }
        _multiply(position, rows, held)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        return Order.objects.count()

    def pages(self, name: str, key: str, rounds: int) -> list[dict[str, float]]:
        """A page of 50 of the fullest account, the newest and one far back, in turn: milliseconds,
        the statements it takes, and the rows that the database reads for them.
        """
        model = MODELS[name.split("/")[0]]
        first, last = model._default_manager.aggregate(
            first=models.Min("pk"), last=models.Max("pk")
        ).values()
        far_back = {"cursor": first + (last - first) // 10}
        asked = [_Asked(name, key, query) for query in ({}, far_back)]
        for each in asked:
            each.explain()
        for _ in range(rounds):
            for each in asked:
                each.time()
        return [each.told() for each in asked]


class _Asked:
    """One page, asked for again and again."""

    def __init__(self, name: str, key: str, query: dict[str, Any]) -> None:
        self._path, self._headers, self._client = f"/position/{name}", {"x-api-key": key}, Client()
        account = Account.objects.order_by("pk")[0]
        self._query = {"account_id": account.pk, "limit": LIMIT, **query}
        self._seconds: list[float] = []
        self._statements: list[str] = []

    def _ask(self) -> None:
        answer = self._client.get(self._path, self._query, headers=self._headers)
        if answer.status_code != 200 or len(answer.json()["items"]) != LIMIT:
            raise RuntimeError(f"{self._path}: {answer.status_code} {answer.content[:300]!r}")

    def explain(self) -> None:
        """Note the statements of a warm request."""
        self._ask()
        with CaptureQueriesContext(connection) as queries:
            self._ask()
        self._statements = [each["sql"] for each in queries]

    def time(self) -> None:
        """One round."""
        began = time.perf_counter()
        self._ask()
        self._seconds.append(time.perf_counter() - began)

    def told(self) -> dict[str, float]:
        """The figures."""
        return {
            "ms": statistics.median(self._seconds) * 1000,
            "statements": len(self._statements),
            "rows_read": sum(map(_rows_read, self._statements)),
        }


def _multiply(row: models.Model, rows: int, changes: dict[str, str]) -> None:
    """Copies of a stored row, numbered ``n`` from 1, with other expressions in some columns."""
    quote = connection.ops.quote_name
    names = [field.column for field in row._meta.concrete_fields if not field.primary_key]
    chosen = [changes.get(name, f"each.{quote(name)}") for name in names]
    table, columns = quote(row._meta.db_table), ", ".join(map(quote, names))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {', '.join(chosen)} "  # noqa: S608
            f"FROM {table} each, generate_series(1, {rows}) n WHERE each.id = {row.pk} ORDER BY n"
        )


def _rows_read(statement: str) -> int:
    """How many rows the plan's scans looked at, those they threw away included."""
    if not statement.startswith("SELECT"):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
        found = cursor.fetchone()[0]
    plan = found if isinstance(found, list) else json.loads(found)
    return _scanned(plan[0]["Plan"])


def _scanned(node: dict[str, Any]) -> int:
    below = sum(_scanned(each) for each in node.get("Plans", ()))
    if node["Node Type"] not in SCANS:
        return below
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return below + round((node["Actual Rows"] + removed) * node["Actual Loops"])


if __name__ == "__main__":
    archive = Archive()
    names = ("prepare", "grow", "fill", "add_key", "pages")
    serve_lines({name: getattr(archive, name) for name in names})
