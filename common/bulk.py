"""Many rows in one statement, for the paths on which every order passes.

On PostgreSQL the rows travel as one JSON document that the server takes apart, which costs a
fraction of the ORM's work per value. On other databases the ORM does it. The caller's transaction
holds; no signal is sent, and of a model's hooks only the fields' ``pre_save`` runs.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from django.db import connection, models

from common.money import MoneyField, money

_Field: TypeAlias = "models.Field[Any, Any]"
_Hook: TypeAlias = "models.Field[Any, Any] | None"


def insert_rows(
    rows: Sequence[models.Model], *, with_ids: bool = True, ignore_conflicts: bool = False
) -> None:
    """Insert new rows of one model; their primary keys are set unless told otherwise.

    With ``ignore_conflicts`` rows that exist already are left alone and no keys are set. Raises
    IntegrityError as an insert does.
    """
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows, ignore_conflicts=ignore_conflicts)
        return
    plan = _plan(model, _inserted(model))
    ending = " ON CONFLICT DO NOTHING" if ignore_conflicts else ""
    returns = with_ids and not ignore_conflicts
    if returns:
        ending += f" RETURNING {_quoted(model._meta.pk.column)}"
    statement = (
        f"INSERT INTO {_quoted(model._meta.db_table)} ({plan.columns})"
        f" SELECT {plan.keys} FROM {plan.source}{ending}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [plan.document(rows, is_new=True)])
        if returns:
            for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
                row.pk = key
                row._state.adding, row._state.db = False, connection.alias


def upsert_rows(
    rows: Sequence[models.Model], *, unique_fields: Sequence[str], update_fields: Sequence[str]
) -> None:
    """Insert rows of one model, or give the existing ones of the same ``unique_fields`` these
    values; primary keys are not set.
    """
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(
            rows, update_conflicts=True, unique_fields=unique_fields, update_fields=update_fields
        )
        return
    plan = _plan(model, _inserted(model))
    unique = ", ".join(_quoted(_field(model, name).column) for name in unique_fields)
    names = [_quoted(_field(model, name).column) for name in update_fields]
    values = ", ".join(f"{name} = EXCLUDED.{name}" for name in names)
    statement = (
        f"INSERT INTO {_quoted(model._meta.db_table)} ({plan.columns})"
        f" SELECT {plan.keys} FROM {plan.source} ON CONFLICT ({unique}) DO UPDATE SET {values}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [plan.document(rows, is_new=True)])


def update_rows(
    rows: Sequence[models.Model], fields: Sequence[str], *, versions: Sequence[int] | None = None
) -> int:
    """Write the named fields of saved rows of one model; returns how many were there.

    With ``versions`` only those rows are written whose column ``version`` still has that value.
    """
    if not rows:
        return 0
    model = type(rows[0])
    if connection.vendor != "postgresql":
        return _update_one_by_one(rows, fields, versions)
    names = (model._meta.pk.name, *fields)
    plan = _plan(model, names)
    table = _quoted(model._meta.db_table)
    values = ", ".join(
        f"{_quoted(_field(model, name).column)} = {_ALIAS}.c{number}"
        for number, name in enumerate(names)
        if number
    )
    guard = "" if versions is None else f' AND {table}."version" = {_ALIAS}.version'
    source = plan.source if versions is None else f"{plan.source[:-1]}, version bigint)"
    statement = (
        f"UPDATE {table} SET {values} FROM {source}"
        f" WHERE {table}.{_quoted(model._meta.pk.column)} = {_ALIAS}.c0{guard}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [plan.document(rows, is_new=False, versions=versions)])
        return int(cursor.rowcount)


def _update_one_by_one(
    rows: Sequence[models.Model], fields: Sequence[str], versions: Sequence[int] | None
) -> int:
    written = 0
    for number, row in enumerate(rows):
        found = type(row)._default_manager.filter(pk=row.pk)
        if versions is not None:
            found = found.filter(version=versions[number])
        names = [_field(type(row), name).attname for name in fields]
        written += found.update(**{name: getattr(row, name) for name in names})
    return written


_ALIAS = "data"


def _quoted(name: str | None) -> str:
    assert name is not None
    return connection.ops.quote_name(name)


def _field(model: type[models.Model], name: str) -> _Field:
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)
    return field


def _inserted(model: type[models.Model]) -> tuple[str, ...]:
    """The fields a new row brings: all but a primary key that the database gives."""
    return tuple(
        field.name
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField | models.BigAutoField)
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How rows of a model become a document, and a document rows."""

    fields: tuple[tuple[str, str, _Hook, Callable[[Any], Any] | None], ...]
    columns: str
    keys: str
    source: str

    def document(
        self,
        rows: Sequence[models.Model],
        *,
        is_new: bool,
        versions: Sequence[int] | None = None,
    ) -> str:
        """The rows as JSON, with short keys."""
        found = [self._row(row, is_new) for row in rows]
        if versions is not None:
            for row, version in zip(found, versions, strict=True):
                row["version"] = version
        return json.dumps(found, separators=(",", ":"))

    def _row(self, row: models.Model, is_new: bool) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, name, hook, convert in self.fields:
            value = hook.pre_save(row, is_new) if hook and is_new else getattr(row, name)
            values[key] = value if convert is None or value is None else convert(value)
        return values


def _has_hook(field: _Field) -> bool:
    return type(field).pre_save is not models.Field.pre_save


@lru_cache(maxsize=256)
def _plan(model: type[models.Model], names: tuple[str, ...]) -> _Plan:
    fields = [_field(model, name) for name in names]
    types = ", ".join(f"c{number} {_column_type(field)}" for number, field in enumerate(fields))
    return _Plan(
        fields=tuple(
            (f"c{number}", field.attname, field if _has_hook(field) else None, _converter(field))
            for number, field in enumerate(fields)
        ),
        columns=", ".join(_quoted(field.column) for field in fields),
        keys=", ".join(f"c{number}" for number in range(len(fields))),
        source=f"json_to_recordset(%s) AS {_ALIAS}({types})",
    )


def _column_type(field: _Field) -> str:
    return str(field.rel_db_type(connection) if field.primary_key else field.db_type(connection))


def _converter(field: _Field) -> Callable[[Any], Any] | None:
    """How a field's value becomes JSON; None where it is as it is."""
    if isinstance(field, models.ForeignKey):
        return _converter(field.target_field)
    if isinstance(field, MoneyField):
        return _money_text
    if isinstance(field, models.DateTimeField):
        return _time_text
    if isinstance(field, models.UUIDField):
        return str
    return None


def _money_text(value: Any) -> str:
    return str(money(value))


def _time_text(value: Any) -> str:
    return str(value.isoformat())
