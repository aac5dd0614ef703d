"""What a stream's opening says: who is calling, from where, and where to resume."""

import base64
import binascii
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.http import HttpRequest

from surfaces.authentication import ACCESS_COOKIE, client_address, credential_of

MAX_QUERY_LENGTH = 8192
MAX_NUMBER_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the opening request says. ``token`` is empty when the first message must bring it, or
    where a ``ticket`` stands for it. ``by_message`` is asked for where headers are the rule.
    """

    token: str
    by_cookie: bool
    same_origin: bool
    address: str
    after_id: str | None
    headers: Mapping[str, str] = field(repr=False)
    ticket: str = field(default="", repr=False)
    by_message: bool = False


def read_handshake(scope: Mapping[str, Any]) -> Handshake:
    """The handshake of an ASGI websocket scope.

    A header wins over the query, a token there over a ticket, the query over a cookie.
    """
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope.get("headers", ())
    }
    return _handshake(headers, _query(scope), (scope.get("client") or ("", 0))[0])


def handshake_of_request(request: HttpRequest) -> Handshake:
    """The handshake of an HTTP request, read by the same rules."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = {name: str(value) for name, value in request.GET.items()}
    return _handshake(headers, query, request.META.get("REMOTE_ADDR") or "")


def _handshake(headers: Mapping[str, str], query: Mapping[str, str], remote: str) -> Handshake:
    token = credential_of(headers) or query.get("token", "")
    ticket = "" if token else query.get("ticket", "")
    cookie = "" if token or ticket else _cookie(headers.get("cookie", ""))
    return Handshake(
        token=token or cookie,
        by_cookie=bool(cookie),
        same_origin=is_same_origin(headers),
        address=client_address(remote, headers.get("x-forwarded-for", "")),
        after_id=query.get("after_id"),
        headers=headers,
        ticket=ticket,
        by_message=query.get("auth") == "message",
    )


def number_of(text: str) -> int | None:
    """An event number as a client writes it; None where it is none."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= MAX_NUMBER_DIGITS
    return int(text) if is_number else None


def seconds_left(token: str) -> float | None:
    """How long an access token that was found good is still good; None for a key.

    Keys and sessions say in the database how long they live, and are looked up now and then.
    """
    parts = token.split(".")
    if len(parts) != 3 or not token.startswith("eyJ"):
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"]) - time.time()
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """A cookie counts only from a page of our own or of a trusted origin."""
    origin = headers.get("origin", "")
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    return bool(parts.netloc) and parts.netloc == headers.get("host", "")


def _query(scope: Mapping[str, Any]) -> dict[str, str]:
    raw = scope.get("query_string", b"")[:MAX_QUERY_LENGTH].decode("latin-1")
    return {name: values[-1] for name, values in parse_qs(raw, keep_blank_values=True).items()}


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(ACCESS_COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""
