"""Calling a route of the table, and comparing two answers."""

import json
import re
from typing import Any

from django.test import Client

from tests.authorisation.bodies import body_for, input_of
from tradingplatform.access_table import Route

PARAMETER = re.compile(r"<(\w+)>")
# Alerts are taken by asynchronous views with a database connection of their own, which does not see
# a test's open transaction; a body of this kind is turned away at the door.
UNREAD = {"content_type": "application/xml", "data": "<x/>"}
# Words in a path that are nobody's: who has nothing under one is told so.
NO_ROWS = {"symbol", "func"}
MASKED = ("request_id", "timestamp")
MASKED_HEADERS = {"X-Request-ID", "Date", "Expires", "Content-Length"}


def parameters_of(route: Route) -> list[str]:
    """The names in the route's path that stand for a row."""
    return [name for name in PARAMETER.findall(route.path) if name not in NO_ROWS]


def send(
    client: Client, route: Route, ids: dict[str, Any], headers: dict[str, str], body: Any = None
) -> Any:
    """Call a route with the ids of a world; the body is made from what the route takes."""
    path = PARAMETER.sub(lambda found: str(ids[found[1]]), route.path)
    method = route.method
    if method == "GET":
        return client.get(path, **headers)
    if "/webhook/" in path and not hasattr(route.view, "cls"):
        return client.generic(method, path, **UNREAD, **headers)
    given = body_for(input_of(route.view, method), ids) if body is None else body
    return client.generic(
        method, path, json.dumps(given), content_type="application/json", **headers
    )


def code_of(response: Any) -> str:
    """The refusal's code, empty where the answer is none of ours."""
    if "application/json" not in response.headers.get("Content-Type", ""):
        return ""
    body = response.json()
    return str(body.get("error_code") or body.get("error") or "") if isinstance(body, dict) else ""


def compared(response: Any, *named: Any) -> tuple[Any, ...]:
    """Status, headers and body without what differs from request to request; ``named`` are ids that
    an answer may repeat.
    """
    text = response.content.decode()
    for each in named:
        text = text.replace(str(each), "ID")
    for name in MASKED:
        text = re.sub(rf'("{name}":\s?)"[^"]*"', r"\1-", text)
    headers = {
        name: value for name, value in response.headers.items() if name not in MASKED_HEADERS
    }
    return response.status_code, headers, text
