"""``/api/v1/auth/*`` for the one who is signed in: permissions, sessions, second factor; and the
password that was forgotten.
"""

import uuid

from rest_framework.request import Request
from rest_framework.response import Response

from common.clock import iso, now
from common.errors import Denied, NotFound
from surfaces.authentication import request_address
from surfaces.management.auth import shown_role
from surfaces.management.dialect import ManagementView, envelope, stamped
from surfaces.management.serializers import (
    DisableFactorInput,
    FactorCodeInput,
    ResetInput,
    ResetRequestInput,
)
from surfaces.policy import Policy
from users import mfa
from users.models import AuthSession, User
from users.passwords import complete_reset, request_reset
from users.permissions import held_by
from users.sessions import revoke


class PermissionsView(ManagementView):
    """What the caller may do."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request) -> Response:
        """Role and permissions as of now."""
        principal = self.principal
        permissions = held_by(principal)
        data = stamped({"permissions": permissions, "role": shown_role(principal.role)})
        return Response(envelope("Permissions retrieved", data))


class SessionsView(ManagementView):
    """Where the caller is signed in."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request) -> Response:
        """The live sessions, newest first; ``current`` marks the one that asks."""
        rows = AuthSession.objects.live_of(self.principal.user_id).order_by("-id")[:100]
        sessions = [
            {
                "session_id": str(row.sid),
                "created_at": iso(row.created_at),
                "expires_at": iso(row.expires_at),
                "device_info": {"ip_address": row.address or "", "user_agent": row.user_agent},
                "claimed_device": row.claimed_device,
                "current": row.sid == self.principal.session_id,
            }
            for row in rows
        ]
        return Response(envelope("Sessions retrieved", stamped({"sessions": sessions})))


class TerminateSessionView(ManagementView):
    """End one of one's own sessions; its tokens fail and its sockets close."""

    policy = Policy.AUTHENTICATED

    def post(self, request: Request, session_id: str) -> Response:
        """404 for a session that is not the caller's or has ended."""
        demand_person(self.principal.session_id)
        try:
            sid = uuid.UUID(session_id)
        except ValueError as error:
            raise NotFound("There is no such session.", code="session_not_found") from error
        live = AuthSession.objects.live_of(self.principal.user_id).select_related("user")
        session = live.filter(sid=sid).first()
        if session is None:
            raise NotFound("There is no such session.", code="session_not_found")
        revoke(session, reason="terminated", by=self.principal)
        return Response(envelope("Session terminated", stamped()))


class ResetRequestView(ManagementView):
    """Have a reset token mailed; the answer is the same whether or not the address is known."""

    policy = Policy.PUBLIC
    inputs = {"POST": ResetRequestInput}
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        """A mail goes out if the address is somebody's."""
        request_reset(email=self.input()["email"], address=request_address(request._request))
        message = "If the address is known, a mail with a reset token is on its way"
        return Response(envelope(message, stamped()))


class ResetView(ManagementView):
    """Set a new password with a reset token."""

    policy = Policy.PUBLIC
    inputs = {"POST": ResetInput}
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        """401 for a token that is wrong, spent or expired; all sessions of the user end."""
        given = self.input()
        complete_reset(
            token=given.get("token") or given["reset_token"],
            new_password=given["new_password"],
            address=request_address(request._request),
        )
        return Response(envelope("Password has been set", stamped()))


class FactorView(ManagementView):
    """The caller's second factor."""

    policy = Policy.AUTHENTICATED

    def get(self, request: Request) -> Response:
        """Whether it is in force."""
        enabled = mfa.is_enabled(_person(self))
        return Response(envelope("Second factor retrieved", stamped({"enabled": enabled})))


class EnrolFactorView(ManagementView):
    """Begin a second factor."""

    policy = Policy.AUTHENTICATED

    def post(self, request: Request) -> Response:
        """The secret and its address for an authenticator app; in force once confirmed."""
        begun = mfa.enrol(user=_person(self))
        data = stamped({"secret": begun.secret, "otpauth_uri": begun.uri})
        return _unstored(envelope("Confirm with a code of the app", data))


class ConfirmFactorView(ManagementView):
    """Put a second factor in force."""

    policy = Policy.AUTHENTICATED
    inputs = {"POST": FactorCodeInput}

    def post(self, request: Request) -> Response:
        """The recovery codes, shown this once."""
        codes = mfa.confirm(user=_person(self), code=self.input()["code"], address=_address(self))
        return _unstored(envelope("Second factor in force", stamped({"recovery_codes": codes})))


class RenewCodesView(ManagementView):
    """New recovery codes."""

    policy = Policy.AUTHENTICATED
    inputs = {"POST": FactorCodeInput}

    def post(self, request: Request) -> Response:
        """The new codes, shown this once; the old ones are void."""
        codes = mfa.renew_codes(
            user=_person(self), code=self.input()["code"], address=_address(self)
        )
        return _unstored(envelope("Recovery codes renewed", stamped({"recovery_codes": codes})))


class DisableFactorView(ManagementView):
    """Take the second factor away."""

    policy = Policy.AUTHENTICATED
    inputs = {"POST": DisableFactorInput}

    def post(self, request: Request) -> Response:
        """Asks for the password and a code."""
        given = self.input()
        mfa.disable(
            user=_person(self),
            password=given["password"],
            code=given["code"],
            address=_address(self),
        )
        return Response(envelope("Second factor taken away", stamped({"at": iso(now())})))


def demand_person(session_id: object) -> None:
    """Raise Denied for a key: credentials are a person's own affair."""
    if session_id is None:
        raise Denied("This takes a signed-in person, not a key.", code="session_needed")


def _person(view: ManagementView) -> User:
    demand_person(view.principal.session_id)
    user: User = view.request.user  # type: ignore[assignment]
    return user


def _address(view: ManagementView) -> str:
    return request_address(view.request._request)


def _unstored(body: dict[str, object]) -> Response:
    return Response(body, headers={"Cache-Control": "no-store"})
