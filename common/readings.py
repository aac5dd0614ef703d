"""Several small readings in one statement, for the paths on which every order passes.

Each reading is a SELECT of its own, written beside the model it reads; together they see one
snapshot and cost one round trip. Rows come back as lists of JSON values: numbers, texts, null, and
for a truth value true or false (PostgreSQL) or 1 or 0 (SQLite). Money is read as text.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from django.db import connection

from .money import canonical

Row: TypeAlias = list[Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """Rows of one kind. ``source`` is all from FROM on; ``{in_x}`` in it stands for "is one of the
    list ``x``", which the reader is given.
    """

    name: str
    columns: str
    source: str


def as_text(*columns: str) -> str:
    """Columns of money as a reading selects them."""
    return ", ".join(f"CAST({column} AS text)" for column in columns)


def money_of(text: str) -> Decimal:
    """An amount as a reading returned it."""
    return canonical(Decimal(text))


def read_together(
    readings: Sequence[Reading], **lists: Collection[int] | Collection[str]
) -> dict[str, list[Row]]:
    """The rows of every reading, by its name, in no order."""
    is_postgres = connection.vendor == "postgresql"
    statement = _statement(tuple(readings), tuple(lists), is_postgres)
    values = {
        name: list(members) if is_postgres else json.dumps(list(members))
        for name, members in lists.items()
    }
    found: dict[str, list[Row]] = {reading.name: [] for reading in readings}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        for name, row in cursor.fetchall():
            found[name].append(json.loads(row))
    return found


@lru_cache(maxsize=64)
def _statement(readings: tuple[Reading, ...], lists: tuple[str, ...], is_postgres: bool) -> str:
    build = "json_build_array" if is_postgres else "json_array"
    one_of = "= ANY(%({0})s)" if is_postgres else "IN (SELECT value FROM json_each(%({0})s))"
    members = {f"in_{name}": one_of.format(name) for name in lists}
    return " UNION ALL ".join(
        f"SELECT '{each.name}', CAST({build}({each.columns}) AS text)"
        f" {each.source.format(**members)}"
        for each in readings
    )
