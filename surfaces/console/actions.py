"""Acts on selected rows: a page that says what would happen, then one service call per row."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from common.errors import DomainError
from common.principal import Principal

from .base import ConsoleAdmin, acting_principal

MOST_ROWS = 500
SHOWN_REFUSALS = 10
_REQUEST_ID = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class Order:
    """What the confirmed form carries; the request id makes a second sending harmless."""

    principal: Principal
    request_id: str
    reason: str
    typed: str


Apply = Callable[[Any, Order], object]
Action = Callable[[Any, HttpRequest, models.QuerySet[Any]], HttpResponse | None]


def confirmed_action(
    name: str,
    *,
    title: str,
    effect: str,
    apply: Apply,
    permission: str,
    heavy: bool = True,
    asks_reason: bool = False,
    typed: str = "",
    preview: Callable[[Any], str] | None = None,
) -> Action:
    """An admin action that shows its effect first.

    A heavy one wants a phrase typed: ``typed``, or the verb and the number of rows. ``apply`` is
    called with each row and may raise a DomainError, which is counted and reported; the other rows
    go on. ``preview`` says of each row what would become of it.
    """
    verb = name.partition("_")[0]

    def action(
        owner: ConsoleAdmin, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> HttpResponse | None:
        rows = list(queryset[: MOST_ROWS + 1])
        if len(rows) > MOST_ROWS:
            owner.message_user(request, f"At most {MOST_ROWS} rows at once.", messages.ERROR)
            return None
        phrase = (typed or f"{verb} {len(rows)}") if heavy else ""
        problem = _problem(request, phrase, asks_reason)
        if problem is not None:
            for row in rows if preview else ():
                row.preview = preview(row)
            context = {
                "title": title,
                "effect": effect,
                "rows": rows,
                "phrase": phrase,
                "problem": problem,
                "asks_reason": asks_reason,
                "action_name": name,
                "request_id": uuid.uuid4().hex,
                "checkbox_name": ACTION_CHECKBOX_NAME,
            }
            return _page(owner, request, context)
        _run(owner, request, rows, apply, title)
        return None

    action.__name__ = name
    admin.action(description=title, permissions=[permission])(action)
    return action


def _problem(request: HttpRequest, phrase: str, asks_reason: bool) -> str | None:
    """None when the form is complete, the empty text on its first showing, else what is wrong."""
    if "confirmed" not in request.POST:
        return ""
    if phrase and request.POST.get("confirm", "").strip() != phrase:
        return "The typed text is not the one shown. Nothing was done."
    if asks_reason and not request.POST.get("reason", "").strip():
        return "Say why. Nothing was done."
    if not _REQUEST_ID.match(request.POST.get("request_id", "")):
        return "The form has lost its request id. Nothing was done."
    return None


def _page(owner: ConsoleAdmin, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    shared = owner.admin_site.each_context(request)
    return TemplateResponse(
        request, "console/confirm_action.html", {**shared, **context, "opts": owner.opts}
    )


def _run(
    owner: ConsoleAdmin, request: HttpRequest, rows: list[Any], apply: Apply, title: str
) -> None:
    done, refusals = 0, []
    form = request.POST
    for row in rows:
        order = Order(
            principal=acting_principal(request, getattr(row, "organisation_id", None)),
            request_id=f"{form['request_id']}-{row.pk}",
            reason=form.get("reason", "").strip()[:200],
            typed=form.get("confirm", "").strip(),
        )
        try:
            apply(row, order)
        except DomainError as error:
            refusals.append(f"{row}: {error.message} ({error.code})")
        else:
            done += 1
    level = messages.WARNING if refusals else messages.SUCCESS
    text = f"{title}: {done} of {len(rows)} done"
    if refusals:
        text += f", {len(refusals)} refused. " + " · ".join(refusals[:SHOWN_REFUSALS])
    owner.message_user(request, text, level)
