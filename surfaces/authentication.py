"""Who is calling: one authenticator for REST and sockets, and the address a call came from."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts.principals import identify
from common.addresses import is_within
from common.errors import Unauthenticated
from common.principal import Principal
from surfaces import csrf
from surfaces.errors import CHALLENGE
from users.models import User

MAX_FORWARDED_HOPS = 20
ACCESS_COOKIE = "access_token"


def credential_of(headers: Mapping[str, str]) -> str:
    """The text of ``Authorization: Bearer …`` or ``x-api-key``; empty without one.

    ``headers`` must find names in any case (or all in lower case).
    """
    scheme, _, token = (headers.get("authorization") or "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return (headers.get("x-api-key") or "").strip()


def client_address(remote: str, forwarded_for: str = "") -> str:
    """The address of the connection, or behind a trusted proxy the nearest untrusted hop.

    ``TRUSTED_PROXIES`` lists addresses and networks; a header from anyone else is not believed.
    Empty where no valid address is known.
    """
    hops = [hop.strip() for hop in forwarded_for.split(",")[-MAX_FORWARDED_HOPS:] if hop.strip()]
    nearest = _address(remote)
    while hops and nearest and _is_trusted(nearest):
        further = _address(hops.pop())
        if not further:
            break
        nearest = further
    return nearest


def request_address(request: HttpRequest) -> str:
    """The caller's address of an HTTP request."""
    return client_address(
        request.META.get("REMOTE_ADDR") or "", request.headers.get("x-forwarded-for", "")
    )


def verified_subject(request: HttpRequest) -> str:
    """The subject of the client certificate that the proxy in front has verified.

    Empty unless ``WEBHOOK_CLIENT_CERT_HEADER`` names its header, the connection itself comes from
    a trusted proxy, and the header stands there once: a proxy that adds its own beside the
    client's is not believed.
    """
    name = settings.WEBHOOK_CLIENT_CERT_HEADER
    if not name or not _is_trusted(_address(request.META.get("REMOTE_ADDR") or "")):
        return ""
    sent = getattr(request, "scope", {}).get("headers", ())
    if sum(key.lower() == name.lower().encode() for key, _ in sent) > 1:
        return ""
    try:
        return request.headers.get(name, "").encode("latin-1").decode()
    except UnicodeError:
        return ""


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _is_trusted(address: str) -> bool:
    return is_within(address, settings.TRUSTED_PROXIES)


class PrincipalAuthentication(BaseAuthentication):
    """Sets ``request.user`` to the user and ``request.auth`` to the Principal.

    The session or key is looked up on every request: a revoked one fails at once. A header wins
    over the access cookie; a write by the cookie alone has to show a forgery token.
    """

    def authenticate(self, request: Any) -> tuple[User, Principal] | None:
        """The caller, None without a credential.

        Raises AuthenticationFailed for a bad one, Denied for a cookie without its forgery token.
        """
        credential = credential_of(request.headers)
        cookie = "" if credential else request.COOKIES.get(ACCESS_COOKIE, "")
        if not credential and not cookie:
            return None
        try:
            user, principal = identify(credential or cookie, address=request_address(request))
        except Unauthenticated as error:
            raise AuthenticationFailed(error.message, code=error.code) from error
        if cookie and request.method not in csrf.SAFE_METHODS:
            csrf.demand_token(request.headers.get(csrf.HEADER, ""), principal.session_id)
        return user, principal

    def authenticate_header(self, request: Any) -> str:
        """The challenge of a 401."""
        return CHALLENGE


class PrincipalAuthenticationScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document shows the two carriers."""

    target_class = "surfaces.authentication.PrincipalAuthentication"
    name = ["bearer", "apiKey"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        """An access token or API key as bearer, or the key in its own header."""
        return [
            {"type": "http", "scheme": "bearer", "description": "Access token or API key."},
            {"type": "apiKey", "in": "header", "name": "x-api-key"},
        ]
