"""Triggers that keep rows of two organisations apart, in both databases.

A link joins rows that each know their organisation; one that would join two organisations cannot be
stored, whichever way it is written. Used by migrations.
"""

from dataclasses import dataclass
from typing import Any

from django.db import migrations

CROSSING = "rows of two organisations cannot be joined"
MOVING = "a row does not change its organisation"


@dataclass(frozen=True, slots=True)
class Link:
    """Two foreign keys of a table, with the tables they lead to; both have organisations.

    Without ``other`` the table's own organisation is compared.
    """

    table: str
    one: tuple[str, str]
    other: tuple[str, str] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose change is looked at."""
        return self.one[0], self.other[0] if self.other else "organisation_id"

    @property
    def crosses(self) -> str:
        """The condition in SQL; a row that is not there is for the foreign key to refuse."""
        column, _ = self.one
        second = _organisation_of(*self.other) if self.other else 'NEW."organisation_id"'
        return f'(NEW."{column}" IS NOT NULL AND {_organisation_of(*self.one)} <> {second})'


def keep_apart(*links: Link) -> migrations.RunPython:
    """The operation that puts some links' guards in force: one trigger for all of a table's, since
    every row of a fan-out passes it.
    """
    by_table: dict[str, list[Link]] = {}
    for link in links:
        by_table.setdefault(link.table, []).append(link)

    def guard(apps: Any, schema_editor: Any) -> None:
        for table, members in by_table.items():
            columns = dict.fromkeys(f'"{name}"' for link in members for name in link.columns)
            when = f"INSERT OR UPDATE OF {', '.join(columns)}"
            crosses = " OR ".join(link.crosses for link in members)
            _guard(schema_editor, table, _name(table), when, crosses, CROSSING)

    def lift(apps: Any, schema_editor: Any) -> None:
        for table in by_table:
            _lift(schema_editor, table, _name(table))

    return migrations.RunPython(guard, lift)


def _name(table: str) -> str:
    return f"{table}_one_organisation"


def keep_in_place(table: str) -> migrations.RunPython:
    """The operation after which no row of a table moves to another organisation."""
    name, moves = f"{table}_stays", 'OLD."organisation_id" <> NEW."organisation_id"'

    def guard(apps: Any, schema_editor: Any) -> None:
        _guard(schema_editor, table, name, 'UPDATE OF "organisation_id"', moves, MOVING)

    def lift(apps: Any, schema_editor: Any) -> None:
        _lift(schema_editor, table, name)

    return migrations.RunPython(guard, lift)


def _organisation_of(column: str, table: str) -> str:
    return f'(SELECT "organisation_id" FROM "{table}" WHERE "id" = NEW."{column}")'


def _guard(editor: Any, table: str, name: str, when: str, condition: str, message: str) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger AS $$ BEGIN IF {condition} THEN "
            f"RAISE EXCEPTION '{message}' USING ERRCODE = '23000'; END IF; RETURN NEW; END "
            f'$$ LANGUAGE plpgsql; CREATE TRIGGER {name} BEFORE {when} ON "{table}" '
            f"FOR EACH ROW EXECUTE FUNCTION {name}()",
            None,
        )
        return
    # SQLite knows one event per trigger.
    for number, event in enumerate(when.split(" OR ")):
        editor.execute(
            f'CREATE TRIGGER {name}_{number} BEFORE {event} ON "{table}" WHEN {condition} '
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END",
            None,
        )


def _lift(editor: Any, table: str, name: str) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(f'DROP TRIGGER {name} ON "{table}"', None)
        editor.execute(f"DROP FUNCTION {name}()", None)
        return
    for number in (0, 1):
        editor.execute(f"DROP TRIGGER IF EXISTS {name}_{number}", None)
