"""The page that shows a secret this once."""

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from .base import ConsoleAdmin


def shown_once(
    owner: ConsoleAdmin,
    request: HttpRequest,
    *,
    title: str,
    label: str,
    secret: str,
    note: str,
    onward: str,
) -> HttpResponse:
    """Show ``secret`` with a button that copies it; no cache keeps the page."""
    context = {
        **owner.admin_site.each_context(request),
        "title": title,
        "label": label,
        "secret": secret,
        "note": note,
        "onward": onward,
        "opts": owner.opts,
    }
    answer = TemplateResponse(request, "console/shown_once.html", context)
    answer["Cache-Control"] = "no-store"
    return answer
