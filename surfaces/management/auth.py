"""``/api/v1/auth/*``: the answers of 001, 002 and 004 in one."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from common.clock import iso, now
from common.errors import Unauthenticated
from common.principal import ADMIN, TRADER, VIEWER
from surfaces.authentication import ACCESS_COOKIE, credential_of, request_address
from surfaces.error_bodies import VERSION
from surfaces.management.dialect import ManagementView, envelope, stamped
from surfaces.management.serializers import LoginInput, RefreshInput
from surfaces.policy import Policy
from users.models import AuthSession, User
from users.permissions import held_by, permissions_of
from users.sessions import (
    BAD_TOKEN,
    Device,
    TokenPair,
    login,
    refresh,
    revoke,
    session_of_access,
    session_of_refresh,
)

REFRESH_COOKIE = "refresh_token"
REFRESH_COOKIE_PATH = "/api/v1/auth"
REFRESH_HEADER = "X-Refresh-Token"


class LoginView(ManagementView):
    """Open a session by user name or e-mail address; both tokens also come as HttpOnly cookies."""

    policy = Policy.PUBLIC
    inputs = {"POST": LoginInput}
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        """The union answer of a login; 401 alike for unknown users and wrong passwords.

        401 ``mfa_required`` or ``mfa_invalid`` follow only the right password.
        """
        given = self.input()
        device = Device(
            address=request_address(request._request),
            user_agent=request.headers.get("User-Agent", ""),
            claimed=given.get("device_info") or {},
        )
        identifier = given.get("username") or given["email"]
        pair = login(
            identifier=identifier,
            password=given["password"],
            device=device,
            mfa_token=given.get("mfa_token") or "",
        )
        return _with_cookies(request, pair)


class RefreshView(ManagementView):
    """A new pair for a refresh token from the body, a header or the cookie."""

    policy = Policy.PUBLIC
    inputs = {"POST": RefreshInput}
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        """The union answer of a login; 401 for a token that is missing, used up or revoked."""
        token = self.input().get("refresh_token") or _refresh_elsewhere(request)
        if not token:
            raise Unauthenticated(BAD_TOKEN)
        pair = refresh(token, address=request_address(request._request))
        return _with_cookies(request, pair)


class LogoutView(ManagementView):
    """End the session that the access token, or else the refresh token, names."""

    policy = Policy.PUBLIC
    inputs = {"POST": RefreshInput}
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        """Ends the session and clears the cookies; 401 where no live session is named."""
        given = self.input().get("refresh_token")
        session = _session_to_end(request, given)
        revoke(session, reason="logout", address=request_address(request._request))
        answer = envelope("Successfully logged out", stamped())
        response = Response(
            {**answer, "type": "response", "version": VERSION, "timestamp": iso(now())}
        )
        response.delete_cookie(ACCESS_COOKIE)
        response.delete_cookie(REFRESH_COOKIE, path=REFRESH_COOKIE_PATH)
        return response


class MeView(ManagementView):
    """The caller."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request) -> Response:
        """User id, name, role and permissions as of now."""
        principal = self.principal
        return Response(
            {
                "user_id": str(principal.user_id),
                "username": principal.username,
                "role": shown_role(principal.role),
                "permissions": held_by(principal),
            }
        )


def shown_role(role: str) -> str:
    """001 knows admin, exporter and viewer; a trader is a viewer there, with ``trade`` allowed."""
    return VIEWER if role == TRADER else role


def _refresh_elsewhere(request: Request) -> str:
    """The refresh token of a header or cookie; a Bearer here is a refresh token (002)."""
    header = request.headers.get(REFRESH_HEADER, "").strip()
    return header or credential_of(request.headers) or request.COOKIES.get(REFRESH_COOKIE, "")


def _session_to_end(request: Request, refresh_token: str | None) -> AuthSession:
    bearer = credential_of(request.headers)
    cookies = request.COOKIES
    attempts = (
        (session_of_access, bearer),
        (session_of_refresh, refresh_token or request.headers.get(REFRESH_HEADER)),
        (session_of_access, cookies.get(ACCESS_COOKIE)),
        (session_of_refresh, cookies.get(REFRESH_COOKIE)),
    )
    for session_of, token in attempts:
        if not token:
            continue
        try:
            return session_of(token)
        except Unauthenticated:
            continue
    raise Unauthenticated(BAD_TOKEN)


def _with_cookies(request: Request, pair: TokenPair) -> Response:
    response = Response(_answer(pair))
    is_secure = request.is_secure() or settings.SESSION_COOKIE_SECURE
    common: dict[str, Any] = {"httponly": True, "samesite": "Lax", "secure": is_secure}
    response.set_cookie(ACCESS_COOKIE, pair.access, max_age=pair.expires_in, **common)
    response.set_cookie(
        REFRESH_COOKIE,
        pair.refresh,
        max_age=settings.REFRESH_TTL_SECONDS,
        path=REFRESH_COOKIE_PATH,
        **common,
    )
    response["Cache-Control"] = "no-store"
    return response


def _answer(pair: TokenPair) -> dict[str, Any]:
    user = pair.user
    role = ADMIN if user.is_superuser else user.role
    permissions = permissions_of(user.role, is_superuser=user.is_superuser)
    return {
        "access_token": pair.access,
        "refresh_token": pair.refresh,
        "token_type": "bearer",
        "expires_in": pair.expires_in,
        "user_context": {
            "user_id": str(user.pk),
            "username": user.username,
            "role": shown_role(role),
            "permissions": permissions,
        },
        "user": _user(user, role, permissions),
    }


def _user(user: User, role: str, permissions: list[str]) -> dict[str, Any]:
    return {
        "id": user.pk,
        "user_id": str(user.pk),
        "uuid": str(user.uuid),
        "username": user.username,
        "email": user.email,
        "role": role,
        "permissions": permissions,
    }
