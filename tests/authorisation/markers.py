"""Text that must not be seen elsewhere, in every text and JSON column of an organisation."""

from typing import Any

from django.contrib import admin
from django.db import models

from tests.authorisation.worlds import own_models
from tests.dashboard.world import World

MARK = "LEAK"
# The audit trail refuses changes; its rows carry the organisation's name as it is.
UNCHANGEABLE = {"events.AuditRecord", "events.AuditChain", "events.AuditAnchor"}


def rows_of(model: type[models.Model], world: World) -> models.QuerySet[Any] | None:
    """The organisation's rows of a model, None for the platform's own."""
    owner: Any = admin.site._registry.get(model)
    path = getattr(owner, "organisation_path", None)
    if path is None:
        return None
    rows = model._default_manager.order_by("pk")
    if path == "self":
        return rows.filter(pk=world.organisation.pk)
    return rows.filter(**{path: world.organisation})


def mark(world: World) -> int:
    """Put a marker of its own into every text and JSON column of every row; how many."""
    count = 0
    for model in own_models():
        rows = None if model._meta.label in UNCHANGEABLE else rows_of(model, world)
        for row in rows if rows is not None else ():
            values = {}
            for field in _marked(model):
                count += 1
                text = f"{MARK}{count}"
                values[field.attname] = {"m": text} if _is_json(field) else text
            if values:
                model._default_manager.filter(pk=row.pk).update(**values)
    return count


def _marked(model: type[models.Model]) -> list[Any]:
    """Columns that hold free text or JSON; but for what other columns depend on."""
    return [
        field
        for field in model._meta.concrete_fields
        if (isinstance(field, (models.CharField, models.TextField)) or _is_json(field))
        and not field.choices
        and not field.primary_key
        and (field.max_length or 99) >= 8
        and field.name not in ("topics", "account_ids", "scopes", "reason_code", "source")
    ]


def _is_json(field: Any) -> bool:
    return isinstance(field, models.JSONField)
