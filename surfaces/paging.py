"""Pages of lists, walked by the rows' numbers so that a deep page costs what the first does."""

from typing import Any, TypeVar

from django.db import models
from rest_framework.request import Request

from surfaces.lookups import whole_parameter

Row = TypeVar("Row", bound=models.Model)


def page_parameters(default: int, most: int) -> dict[str, str]:
    """What the two parameters of a page mean, for the API pages."""
    return {
        "limit": f"Rows of a page: {default}, or as many as this says, {most} at most.",
        "cursor": "The next_cursor of the page before.",
    }


def key_page(
    request: Request, rows: "models.QuerySet[Row]", *, default: int, most: int
) -> tuple[list[Row], int | None]:
    """One page, the newest first, and the ``cursor`` of the page after it, None at the end.

    ``limit`` is capped at ``most``. One query; raises Invalid for a parameter that is no number.
    """
    limit = min(whole_parameter(request, "limit", default, least=1), most)
    cursor = cursor_parameter(request)
    if cursor is not None:
        rows = rows.filter(pk__lt=cursor)
    page: list[Any] = list(rows.order_by("-pk")[: limit + 1])
    return page[:limit], page[limit - 1].pk if len(page) > limit else None


def cursor_parameter(request: Request) -> int | None:
    """The row's number after which a page begins, None for the first; raises Invalid."""
    if "cursor" not in request.query_params:
        return None
    return whole_parameter(request, "cursor", 0, least=1)
