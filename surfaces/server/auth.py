"""``/v1/auth/*``: log-in, single-use refresh tokens, passwords, revoking."""

from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import Denied, Invalid, NotFound, Unauthenticated
from surfaces.authentication import request_address
from surfaces.lookups import find
from surfaces.policy import Policy
from surfaces.server.dialect import ServerView, unstored
from surfaces.server.serializers import (
    ChangePasswordInput,
    RevokeInput,
    ServerLoginInput,
    ServerRefreshInput,
    ServerResetInput,
)
from users.models import AuthSession, User
from users.passwords import change_password, complete_reset
from users.permissions import USERS, may
from users.services import revoke_sessions
from users.sessions import (
    Device,
    TokenPair,
    login,
    refresh,
    revoke,
    session_of_refresh,
)


class LoginView(ServerView):
    """Open a session by e-mail address or user name."""

    policy = Policy.PUBLIC
    inputs = {"POST": ServerLoginInput}
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        """401 alike for unknown users and wrong passwords; 403 where a new password is due."""
        given = self.input()
        device = Device(
            address=request_address(request._request),
            user_agent=request.headers.get("User-Agent", ""),
        )
        pair = login(
            identifier=given.get("email") or given["username"],
            password=given["password"],
            device=device,
            mfa_token=given.get("mfa_token", ""),
            single_use=True,
        )
        return _tokens(pair)


class RefreshView(ServerView):
    """A new pair for a refresh token, which is used up."""

    policy = Policy.PUBLIC
    inputs = {"POST": ServerRefreshInput}
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        """401 for a token that is wrong, expired or revoked; a used one ends its session."""
        address = request_address(request._request)
        return _tokens(refresh(self.input()["refresh_token"], single_use=True, address=address))


class ResetPasswordView(ServerView):
    """Set a new password with a one-time token."""

    policy = Policy.PUBLIC
    inputs = {"POST": ServerResetInput}
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        """401 for a token that is wrong, used or expired; all sessions of the user end."""
        given = self.input()
        _, ended = complete_reset(
            token=given.get("reset_token") or given["token"],
            new_password=given["new_password"],
            address=request_address(request._request),
        )
        return Response({"ok": True, "revoked_refresh_tokens": ended})


class ChangePasswordView(ServerView):
    """Set one's own new password."""

    policy = Policy.AUTHENTICATED
    inputs = {"POST": ChangePasswordInput}

    def post(self, request: Request) -> Response:
        """Every other session of the user ends; a key cannot do this."""
        if self.principal.session_id is None:
            raise Denied("This takes a signed-in person, not a key.", code="session_needed")
        given = self.input()
        ended = change_password(
            user=request.user,
            old_password=given["old_password"],
            new_password=given["new_password"],
            keep_sid=self.principal.session_id,
            address=self.principal.address,
        )
        return Response({"ok": True, "revoked_refresh_tokens": ended})


class RevokeView(ServerView):
    """End one session or all sessions of a user; others' as an administrator."""

    policy = Policy.AUTHENTICATED
    inputs = {"POST": RevokeInput}

    def post(self, request: Request) -> Response:
        """``revoked`` tells whether one session ended, ``revoked_count`` how many of all did."""
        given = self.input()
        if given["revoke_all"]:
            return self._revoke_all(given.get("user_id"))
        if given.get("user_id"):
            raise Invalid("Say revoke_all too.", fields={"user_id": "goes with revoke_all"})
        session = self._named(given.get("refresh_token"))
        if session is not None:
            revoke(session, reason="revoked", by=self.principal)
        target = str(session.user.uuid if session else self.principal.user_uuid)
        return Response(
            {
                "ok": True,
                "revoke_all": False,
                "target_user_id": target,
                "revoked": session is not None,
            }
        )

    def _revoke_all(self, user_id: str | None) -> Response:
        people = User.objects.visible_to(self.principal)
        if user_id is None:
            user = people.get(pk=self.principal.user_id)
        elif may(self.principal, USERS):
            user = find(people, user_id, what="user")
        else:
            raise Denied("Your role does not allow this.", code="permission_denied")
        return Response(
            {
                "ok": True,
                "revoke_all": True,
                "target_user_id": str(user.uuid),
                "revoked_count": revoke_sessions(user=user, by=self.principal),
            }
        )

    def _named(self, refresh_token: str | None) -> AuthSession | None:
        """The session of the token, or the caller's own; None where the token names none that
        lives and may be ended.
        """
        own = AuthSession.objects.live_of(self.principal.user_id).select_related("user")
        if refresh_token is None:
            session = own.filter(sid=self.principal.session_id).first()
            if session is None:
                raise NotFound("There is no session to end.", code="session_not_found")
            return session
        try:
            named = session_of_refresh(refresh_token)
        except Unauthenticated:
            return None
        return named if named.user_id == self.principal.user_id else None


def _tokens(pair: TokenPair) -> Response:
    return unstored(
        {
            "access_token": pair.access,
            "refresh_token": pair.refresh,
            "token_type": "Bearer",
            "expires_in": pair.expires_in,
        }
    )
