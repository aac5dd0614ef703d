"""What a refusal looks like in each specification; the path says which one is spoken.

Under ``/api/v1``, ``/api`` and root the body carries the keys of specifications 001, 002 and 004 at
once, so that a client of any of them finds what it reads. ``/v1`` (003) has a text, ``/position``
and ``/ccxt`` (000) an object. All of them tell the code and the request's id.
"""

import uuid
from typing import Any

from common.clock import iso, now
from common.errors import DomainError, Unauthenticated

VERSION = "1.0"
TEXT_PREFIXES = ("/v1/",)
OBJECT_PREFIXES = ("/position/", "/ccxt/")


def body_of(request: Any, error: DomainError) -> dict[str, Any]:
    """The body of a refusal in the dialect of the request's path."""
    path = str(request.path)
    if path.startswith(TEXT_PREFIXES):
        return _text_body(request, error)
    if path.startswith(OBJECT_PREFIXES):
        return _object_body(request, error)
    return union_body(request, error)


def request_id_of(request: Any) -> str:
    """The id the middleware gave the request, or a new one where there was no middleware."""
    return str(getattr(request, "request_id", "") or uuid.uuid4().hex)


def union_body(request: Any, error: DomainError) -> dict[str, Any]:
    """The error body that clients of 001, 002 and 004 can all read."""
    timestamp = iso(now())
    details: dict[str, Any] = dict(error.details)
    for field, reason in error.fields.items():
        details.update(field=field, reason=reason)
        break
    if len(error.fields) > 1:
        details["errors"] = error.fields
    return {
        "success": False,
        "detail": error.message,
        "errors": error.fields,
        "request_id": request_id_of(request),
        "timestamp": timestamp,
        "type": "error",
        "version": VERSION,
        "error_code": error.code.lower(),
        "error_message": error.message,
        "error": {
            "code": error.code.upper(),
            "message": error.message,
            "details": {"field": None, "reason": None, **details},
        },
    }


def _text_body(request: Any, error: DomainError) -> dict[str, Any]:
    """003's: ``error`` is a text, and for want of a good credential always the same one."""
    denied = isinstance(error, Unauthenticated)
    body: dict[str, Any] = {
        "error": "unauthorized" if denied else error.message,
        "code": error.code.lower(),
        "request_id": request_id_of(request),
    }
    if error.fields:
        body["fields"] = error.fields
    if error.details and not denied:
        body["details"] = error.details
    return body


def _object_body(request: Any, error: DomainError) -> dict[str, Any]:
    """000's: ``detail`` is an object."""
    detail: dict[str, Any] = {"code": error.code.lower(), "message": error.message}
    if error.fields:
        detail["fields"] = error.fields
    if error.details:
        detail["details"] = error.details
    return {"detail": detail, "request_id": request_id_of(request)}
