"""One catalogue of refusals for all surfaces: which status and which headers each gets."""

import logging
import sys
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from common.errors import (
    BadJson,
    Conflict,
    Denied,
    DomainError,
    Invalid,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from surfaces.error_bodies import OBJECT_PREFIXES, TEXT_PREFIXES, body_of

logger = logging.getLogger(__name__)

CHALLENGE = 'Bearer realm="api"'
RETRY_AFTER_SECONDS = 5

_STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (BadJson, 400),
    (Unauthenticated, 401),
    (Denied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooLarge, 413),
    (Invalid, 422),
    (TooMany, 429),
    (Unavailable, 503),
)
# Codes whose status is the same under every path, whatever kind of refusal they are.
_BY_CODE = {"idempotency_mismatch": 422}
_UNPROCESSABLE_PREFIXES = ("/api/v1/", *OBJECT_PREFIXES)
_API_PREFIXES = ("/api/", *TEXT_PREFIXES, *OBJECT_PREFIXES)

# The codes REST framework's own refusals get; a code of ours that they carry wins.
_FRAMEWORK_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    415: "unsupported_media_type",
    429: "too_many_requests",
}
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This method is not allowed here.",
    406: "The answer is not available in this form.",
    415: "This content type is not accepted here.",
}


def framework_codes() -> dict[int, tuple[str, str]]:
    """Code and sentence of REST framework's own refusals, by status."""
    return {status: (code, _SENTENCES.get(status, "")) for status, code in _FRAMEWORK_CODES.items()}


def status_of(error: DomainError, path: str) -> int:
    """The HTTP status of a refusal; invalid input is 422 or 400 by the path's specification."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    for kind, status in _STATUS:
        if isinstance(error, kind):
            if status == 422 and not path.startswith(_UNPROCESSABLE_PREFIXES):
                return 400
            return status
    return 400


def headers_of(status: int, error: DomainError | None = None) -> dict[str, str]:
    """The headers that belong to a status: a challenge for 401, a time for 429 and 503."""
    if status == 401:
        return {"WWW-Authenticate": CHALLENGE}
    if isinstance(error, TooMany):
        return {"Retry-After": str(error.retry_after)}
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}


def error_response(
    request: HttpRequest, error: DomainError, *, status: int | None = None
) -> JsonResponse:
    """The answer of a plain view for a refusal."""
    code = status or status_of(error, request.path)
    return JsonResponse(body_of(request, error), status=code, headers=headers_of(code, error))


def framework_refusal(request: HttpRequest, status: int, **headers: str) -> JsonResponse:
    """A plain view's answer where REST framework would refuse: 405, 415 and the like."""
    error = DomainError(_SENTENCES[status], code=_FRAMEWORK_CODES[status])
    response = error_response(request, error, status=status)
    for name, value in headers.items():
        response[name] = value
    return response


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's hook. What it does not know is a fault of ours and goes on as a 500."""
    request = context["request"]
    error, status = _translated(exc, request.path)
    if error is None:
        return None
    headers = headers_of(status, error)
    wait = getattr(exc, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    plain_request = getattr(request, "_request", request)
    return Response(body_of(plain_request, error), status=status, headers=headers)


def database_error(error: Exception) -> Unavailable:
    """What a client is told when the database does not answer; the log has the cause."""
    logger.error("the database does not answer: %s", type(error).__name__)
    return Unavailable("The database does not answer; try again in a moment.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The project's 404: JSON under the API's prefixes, Django's page elsewhere."""
    if request.path.startswith(_API_PREFIXES):
        return error_response(request, NotFound(_SENTENCES[404]))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """The project's 500: says nothing but the request's id. A database that went away is a 503, on
    a page as at an API: it says that trying again is worth while.
    """
    cause = sys.exception()
    if isinstance(cause, (OperationalError, InterfaceError)):
        unavailable = database_error(cause)
        if request.path.startswith(_API_PREFIXES):
            return error_response(request, unavailable)
        return HttpResponse(
            unavailable.message, status=503, content_type="text/plain", headers=headers_of(503)
        )
    if request.path.startswith(_API_PREFIXES):
        error = DomainError("Something went wrong on our side.", code="internal_error")
        return error_response(request, error, status=500)
    return defaults.server_error(request)


def _translated(exc: Exception, path: str) -> tuple[DomainError | None, int]:
    if isinstance(exc, DomainError):
        return exc, status_of(exc, path)
    if isinstance(exc, (OperationalError, InterfaceError)):
        return database_error(exc), 503
    if isinstance(exc, Http404):
        return NotFound(_SENTENCES[404]), 404
    if isinstance(exc, PermissionDenied):
        return Denied("You may not do this."), 403
    if isinstance(exc, SuspiciousOperation):
        return BadJson("The request could not be read."), 400
    if isinstance(exc, exceptions.APIException):
        return _of_framework(exc, path)
    return None, 500


def _of_framework(exc: exceptions.APIException, path: str) -> tuple[DomainError, int]:
    if isinstance(exc, exceptions.ValidationError):
        invalid = Invalid("The input is not acceptable.", fields=flattened(exc.detail))
        return invalid, status_of(invalid, path)
    if isinstance(exc, exceptions.ParseError):
        return BadJson("The body is not valid JSON."), 400
    status = exc.status_code
    codes = exc.get_codes()
    own = codes if isinstance(codes, str) and codes.startswith("token_") else ""
    if isinstance(exc, exceptions.NotAuthenticated):
        return Unauthenticated("Authentication is required."), 401
    if isinstance(exc, exceptions.AuthenticationFailed):
        return Unauthenticated(str(exc.detail), code=own or None), 401
    message = _SENTENCES.get(status, str(exc.detail))
    return DomainError(message, code=own or _FRAMEWORK_CODES.get(status, "error")), status


def flattened(detail: Any, prefix: str = "") -> dict[str, str]:
    """Nested serializer faults as one sentence per dotted path."""
    if isinstance(detail, dict):
        pairs = [(str(key), item) for key, item in detail.items()]
    elif isinstance(detail, list) and any(isinstance(item, (dict, list)) for item in detail):
        pairs = [(str(index), item) for index, item in enumerate(detail) if item]
    else:
        texts = detail if isinstance(detail, list) else [detail]
        return {prefix or "non_field_errors": " ".join(str(text) for text in texts)}
    faults: dict[str, str] = {}
    for key, item in pairs:
        faults.update(flattened(item, f"{prefix}.{key}" if prefix else key))
    return faults
