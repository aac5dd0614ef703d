"""Ids in paths and numbers in queries, read alike in every dialect."""

import uuid
from typing import Any, TypeVar

from django.db import models
from rest_framework.request import Request

from accounts.models import Account
from common.errors import Invalid, NotFound
from common.principal import Principal

MAX_ID_DIGITS = 18
MAX_PAGE = 100
DEFAULT_PAGE = 50

Row = TypeVar("Row", bound=models.Model)


def find(rows: "models.QuerySet[Row]", text: str, *, what: str) -> Row:
    """The row of an id in a path: a number, or a uuid where rows have one.

    Raises NotFound ``<what>_not_found``, the same for what is missing, foreign or no id at all.
    """
    row = None
    key = lookup_of(text, rows.model)
    if key is not None:
        row = rows.filter(**key).first()
    if row is None:
        raise NotFound(f"There is no such {what}.", code=f"{what}_not_found")
    return row


def account_named(principal: Principal, text: str | None) -> Account | None:
    """The account that a body names, None where it names none; raises NotFound
    ``account_not_found``.
    """
    rows = Account.objects.visible_to(principal)
    return None if text is None else find(rows, text, what="account")


def lookup_of(text: str, model: type[models.Model]) -> dict[str, Any] | None:
    """The filter an id stands for, None where it can be none."""
    if text.isascii() and text.isdecimal():
        return {"pk": int(text)} if len(text) <= MAX_ID_DIGITS else None
    if not any(field.name == "uuid" for field in model._meta.get_fields()):
        return None
    try:
        return {"uuid": uuid.UUID(text)}
    except ValueError:
        return None


def page_of(request: Request, *, start: str) -> tuple[int, int]:
    """Offset (by its name in this route) and limit; the limit is capped at 100. Raises Invalid."""
    offset = whole_parameter(request, start, 0, least=0)
    return offset, min(whole_parameter(request, "limit", DEFAULT_PAGE, least=1), MAX_PAGE)


def whole_parameter(request: Request, name: str, default: int, *, least: int) -> int:
    """A whole number of the query; raises Invalid naming the parameter."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_ID_DIGITS):
        raise Invalid("Not a number.", fields={name: "must be a whole number"})
    if int(text) < least:
        raise Invalid("Not a number.", fields={name: f"must be at least {least}"})
    return int(text)
