"""``/csrf-token``: what a browser that is known by a cookie shows with its writes."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import Unauthenticated
from surfaces import csrf
from surfaces.authentication import ACCESS_COOKIE
from surfaces.envelope.dialect import EnvelopeView, enveloped
from surfaces.policy import Policy
from users.sessions import session_of_access


class CsrfTokenView(EnvelopeView):
    """A forgery token, bound to the session of the access cookie and good for an hour."""

    policy = Policy.PUBLIC
    authentication_classes = ()

    def get(self, request: Request) -> Response:
        """Public; without a live session in the cookie the token is good for nothing."""
        payload: dict[str, Any] = {
            "token": csrf.new_token(_session_of(request)),
            "expires_in": csrf.LIFE_SECONDS,
        }
        return Response(enveloped(payload), headers={"Cache-Control": "no-store"})


def _session_of(request: Request) -> object:
    cookie = request.COOKIES.get(ACCESS_COOKIE, "")
    try:
        return session_of_access(cookie).sid if cookie else None
    except Unauthenticated:
        return None
