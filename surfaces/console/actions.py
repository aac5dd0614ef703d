"""Acts on selected rows: a page that says what would happen, one service call per row, and what
came of each.
"""

import logging
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from common.errors import DomainError
from common.principal import Principal
from events.log import audit

from .base import ConsoleAdmin, acting_principal

logger = logging.getLogger(__name__)
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


DONE, REFUSED, FAILED = "done", "refused", "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one row: done, refused with a code, or failed unexpectedly."""

    row: Any
    word: str
    said: str = ""
    code: str = ""


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
    called with each row; a text that it returns is told of the row. It may raise: what does not go
    is told row by row, and the other rows go on. The whole act is one audit record in each
    organisation, beside what the services record. ``preview`` says of each row what would become
    of it.
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
        outcomes = [_outcome(owner, request, name, row, apply) for row in rows]
        _record(owner, request, name, outcomes)
        return _told(owner, request, title, outcomes)

    action.__name__ = name
    action.is_confirmed = True  # type: ignore[attr-defined]
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
    return _rendered(owner, request, "console/confirm_action.html", context)


def _rendered(
    owner: ConsoleAdmin, request: HttpRequest, template: str, context: dict[str, Any]
) -> HttpResponse:
    shared = owner.admin_site.each_context(request)
    return TemplateResponse(request, template, {**shared, **context, "opts": owner.opts})


def _outcome(
    owner: ConsoleAdmin, request: HttpRequest, name: str, row: Any, apply: Apply
) -> Outcome:
    form = request.POST
    order = Order(
        principal=acting_principal(request, _organisation_of(owner, row)),
        request_id=f"{form['request_id']}-{row.pk}",
        reason=form.get("reason", "").strip()[:200],
        typed=form.get("confirm", "").strip(),
    )
    try:
        said = apply(row, order)
    except DomainError as error:
        return Outcome(row, REFUSED, f"{error.message} ({error.code})", error.code)
    except Exception:  # the outer loop: what is wrong with one row is no reason to leave the others
        logger.exception("%s of %s %s failed", name, owner.opts.label, row.pk)
        request_id = getattr(request, "request_id", "")
        return Outcome(row, FAILED, f"failed unexpectedly: see the log, request {request_id}")
    return Outcome(row, DONE, said if isinstance(said, str) else "")


def _record(
    owner: ConsoleAdmin, request: HttpRequest, name: str, outcomes: Sequence[Outcome]
) -> None:
    """Who acted on which rows and what came of it, in each organisation that has any of them."""
    parts: dict[int | None, list[Outcome]] = {}
    for each in outcomes:
        parts.setdefault(_organisation_of(owner, each.row), []).append(each)
    model = owner.opts.model_name
    for organisation_id, rows in parts.items():
        after = {
            "reason": request.POST.get("reason", "").strip()[:200],
            DONE: [each.row.pk for each in rows if each.word == DONE],
            REFUSED: {str(each.row.pk): each.code for each in rows if each.word == REFUSED},
            FAILED: [each.row.pk for each in rows if each.word == FAILED],
        }
        by = acting_principal(request, organisation_id)
        audit(by, f"console.{model}.acted", target=f"{model}:{name}", after=after)


def _organisation_of(owner: ConsoleAdmin, row: Any) -> int | None:
    """Whose row it is, along the page's path; None for the platform's own."""
    path = owner.organisation_path
    if path is None or path == "self":
        return None if path is None else int(row.pk)
    *steps, last = path.split(LOOKUP_SEP)
    for step in steps:
        row = getattr(row, step)
    number: int | None = getattr(row, f"{last}_id")
    return number


def _told(
    owner: ConsoleAdmin, request: HttpRequest, title: str, outcomes: Sequence[Outcome]
) -> HttpResponse | None:
    """A sentence on the list; a page of all rows where any did not go or has something to say."""
    text = f"{title}: {_count(outcomes, DONE)} of {len(outcomes)} done"
    others = [each for each in outcomes if each.word != DONE]
    for word in (REFUSED, FAILED):
        if count := _count(outcomes, word):
            text += f", {count} {word}"
    if others:
        text += ". " + " · ".join(f"{each.row}: {each.said}" for each in others[:SHOWN_REFUSALS])
    owner.message_user(request, text, messages.WARNING if others else messages.SUCCESS)
    if not any(each.said for each in outcomes):
        return None
    context = {"title": title, "outcomes": outcomes}
    return _rendered(owner, request, "console/action_result.html", context)


def _count(outcomes: Sequence[Outcome], word: str) -> int:
    return sum(each.word == word for each in outcomes)
