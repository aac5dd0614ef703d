"""What the console's own saves leave in the audit: which columns changed, from what to what."""

from decimal import Decimal
from typing import Any

from django.db import models

from common.money import plain
from common.principal import Principal
from events.log import audit


def record_saved(principal: Principal, row: models.Model, form: Any, *, change: bool) -> None:
    """One record for a form that changed something."""
    names = list(form.changed_data)
    if not names:
        return
    after = {name: _told(form.cleaned_data.get(name)) for name in names}
    before = {name: _told(form.initial.get(name)) for name in names} if change else None
    verb = "changed" if change else "added"
    _record(principal, row, verb, before, after)


def record_removed(principal: Principal, row: models.Model) -> None:
    """One record for a row about to go, with what it said."""
    before = {
        field.name: _told(field.value_from_object(row)) for field in row._meta.concrete_fields
    }
    _record(principal, row, "removed", before, None)


def record_formset(principal: Principal, formset: Any) -> None:
    """One record for each row added, changed or removed below its owner, after the save."""
    changed = {row.pk for row, _ in formset.changed_objects}
    gone = {row.pk for row in formset.deleted_objects}
    for form in formset.forms:
        if form.instance.pk not in gone and form.has_changed():
            record_saved(principal, form.instance, form, change=form.instance.pk in changed)
    for row in formset.deleted_objects:
        record_removed(principal, row)


def _record(
    principal: Principal,
    row: models.Model,
    verb: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    name = row._meta.model_name
    action, target = f"console.{name}.{verb}", f"{name}:{row.pk}"
    audit(principal, action, target=target, before=before, after=after)


def _told(value: Any) -> Any:
    """A column's value as JSON; rows by their keys."""
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, list | tuple | models.QuerySet):
        return [_told(item) for item in value]
    if isinstance(value, dict) or value is None or isinstance(value, bool | int):
        return value
    return str(value)
