"""Login, refresh and logout: sessions and the tokens that name them.

A session is a family of refresh tokens, numbered in the order they were issued. Refreshing issues
the next number. A client that never learns its new token (specification 004) may go on using the
old one until a later one has been used; after that every earlier one, siblings included, is proof
of theft, and the family is revoked. The same token refreshed again within 30 seconds returns the
same successor, so two tabs or a lost answer do no harm.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from common.clock import now
from common.errors import Denied, Unauthenticated
from common.ids import digest
from common.principal import Principal
from events.log import audit, publish

from . import mfa
from .models import ApiKey, AuthSession, User
from .proof import BAD_LOGIN, record_failure, verified_user

SAME_SUCCESSOR_SECONDS = 30
BAD_TOKEN = "The token is missing, wrong, expired or revoked."


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login or a refresh gives; ``expires_in`` is the access token's life in seconds."""

    user: User
    access: str
    refresh: str
    expires_in: int
    sid: uuid.UUID


@dataclass(frozen=True, slots=True)
class Device:
    """Where a login came from: ``address`` and ``user_agent`` as seen, ``claimed`` as the client
    says.
    """

    address: str = ""
    user_agent: str = ""
    claimed: dict[str, Any] | None = None


def login(
    *,
    identifier: str,
    password: str,
    device: Device,
    mfa_token: str = "",
    single_use: bool = False,
) -> TokenPair:
    """Open a session by user name or e-mail, with the second factor where the user has one.

    With ``single_use`` its refresh tokens are good for one refresh each, as 003 says.
    Raises what :func:`verified_user` and :func:`open_session` raise, Unauthenticated
    ``mfa_required`` or ``mfa_invalid``, both only after the right password.
    """
    user = verified_user(identifier=identifier, password=password, address=device.address)
    if user.must_reset_password:
        record_failure(user, device.address, "must_reset_password")
        raise _must_reset()
    demand_second_factor(user, mfa_token, device.address)
    return open_session(user=user, device=device, single_use=single_use)


def _must_reset() -> Denied:
    return Denied("Set a new password first.", code="must_reset_password")


def demand_second_factor(user: User, code: str, address: str) -> None:
    """Raise Unauthenticated unless the user has no second factor or the code is one of it."""
    if not mfa.is_enabled(user):
        return
    if not code:
        record_failure(user, address, "mfa_required")
        raise Unauthenticated("A code of the second factor is needed.", code="mfa_required")
    mfa.check(user=user, code=code, address=address)


def open_session(*, user: User, device: Device, single_use: bool = False) -> TokenPair:
    """A new session of a user who has proven to be one.

    The row is locked and read again: who was disabled or got another password since, or was told to
    set one, stays out: Unauthenticated ``invalid_credentials``, Denied ``must_reset_password``.
    """
    with transaction.atomic():
        _demand_unchanged(user)
        session = AuthSession.objects.create(
            user=user,
            address=device.address or None,
            user_agent=device.user_agent[:300],
            claimed_device=device.claimed or {},
            successor_jti=uuid.uuid4().hex,
            successor_at=now(),
            expires_at=now() + timedelta(seconds=settings.REFRESH_TTL_SECONDS),
        )
        audit(
            None,
            "login.succeeded",
            actor=f"user:{user.pk}",
            address=device.address,
            organisation_id=user.organisation_id,
            target=f"session:{session.sid}",
        )
    return _pair(session, single_use=single_use)


def _demand_unchanged(user: User) -> None:
    row = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if row is None or not row.is_active or row.password != user.password:
        raise Unauthenticated(BAD_LOGIN, code="invalid_credentials")
    if row.must_reset_password:
        raise _must_reset()


def refresh(raw: str, *, single_use: bool = False, address: str = "") -> TokenPair:
    """A new pair for a refresh token; raises Unauthenticated, and on reuse revokes the family, as
    the record says, from ``address``.

    A token that was issued for single use, or is presented where that is the rule, was used when it
    was refreshed once, and so are its successors.
    """
    token = _decoded(RefreshToken, raw)
    generation = token.get("gen")
    if not isinstance(generation, int):
        raise Unauthenticated(BAD_TOKEN, code="token_invalid")
    with transaction.atomic():
        session = (
            AuthSession.objects.select_for_update(of=("self",), no_key=True)
            .select_related("user__organisation")
            .filter(sid=token.get("sid"))
            .first()
        )
        if session is None or not _is_live(session):
            raise Unauthenticated(BAD_TOKEN, code="token_revoked")
        once = single_use or token.get("once") is True
        if generation >= session.used_generation + once:
            _succeed(session, generation)
            return _pair(session, single_use=once)
        revoke(session, reason="refresh_reuse", address=address)
    raise Unauthenticated(BAD_TOKEN, code="token_revoked")


def _succeed(session: AuthSession, generation: int) -> None:
    """Note the use and issue the next number, or keep the newest token when this one gave it a
    moment ago.
    """
    fresh = session.successor_at and now() - session.successor_at < timedelta(
        seconds=SAME_SUCCESSOR_SECONDS
    )
    if generation == session.used_generation and generation > 0 and fresh:
        return
    session.used_generation = generation
    session.issued_generation += 1
    session.successor_jti = uuid.uuid4().hex
    session.successor_at = now()
    session.expires_at = now() + timedelta(seconds=settings.REFRESH_TTL_SECONDS)
    session.save(
        update_fields=[
            "used_generation",
            "issued_generation",
            "successor_jti",
            "successor_at",
            "expires_at",
        ]
    )


def revoke(
    session: AuthSession, *, reason: str, by: Principal | None = None, address: str = ""
) -> None:
    """End a session; its tokens fail from now on and its sockets are told. Safe to repeat.

    The record names ``by``, acting within the session's organisation, else the session's user.
    """
    changed = AuthSession.objects.filter(pk=session.pk, revoked_at=None).update(
        revoked_at=now(), revoked_reason=reason
    )
    if changed:
        organisation_id = session.user.organisation_id
        audit(
            by,
            "session.revoked",
            actor=f"user:{session.user_id}",
            address=address,
            organisation_id=organisation_id,
            target=f"session:{session.sid}",
            after={"reason": reason},
        )
        publish(
            "session.revoked",
            organisation_id=organisation_id,
            topics=(f"session:{session.sid}",),
            payload={"sid": str(session.sid)},
        )


def end_sessions(
    *,
    user: User,
    reason: str,
    keep_sid: object = None,
    by: Principal | None = None,
    address: str = "",
) -> int:
    """Revoke a user's live sessions, but for the one named; returns how many.

    ``by`` and ``address`` as for :func:`revoke`.
    """
    live = AuthSession.objects.live_of(user.pk).select_related("user")
    ended = [each for each in live if each.sid != keep_sid]
    for session in ended:
        revoke(session, reason=reason, by=by, address=address)
    return len(ended)


def session_of_refresh(raw: str) -> AuthSession:
    """The live session a refresh token names; raises Unauthenticated."""
    token = _decoded(RefreshToken, raw)
    return _live_session(token.get("sid"))


def session_of_access(raw: str, rows: QuerySet[AuthSession] | None = None) -> AuthSession:
    """The live session an access token names, with user and organisation, in one query.

    Raises Unauthenticated. ``rows`` may bring more along in the same query.
    """
    return _live_session(_decoded(AccessToken, raw).get("sid"), rows)


def live_api_key(raw: str, rows: QuerySet[ApiKey] | None = None) -> ApiKey:
    """The usable key of this text, with user and organisation, in one query.

    Raises Unauthenticated. ``rows`` may bring more along in the same query.
    """
    rows = ApiKey.objects.all() if rows is None else rows
    found = rows.select_related("user__organisation").filter(key_hash=digest(raw), revoked_at=None)
    key = found.first()
    if key is None or not key.user.is_active or (key.expires_at and key.expires_at <= now()):
        raise Unauthenticated(BAD_TOKEN, code="token_invalid")
    return key


def _live_session(sid: Any, rows: QuerySet[AuthSession] | None = None) -> AuthSession:
    try:
        wanted = uuid.UUID(str(sid))
    except ValueError as error:
        raise Unauthenticated(BAD_TOKEN, code="token_invalid") from error
    rows = AuthSession.objects.all() if rows is None else rows
    session = rows.select_related("user__organisation").filter(sid=wanted).first()
    if session is None or not _is_live(session):
        raise Unauthenticated(BAD_TOKEN, code="token_revoked")
    return session


def _is_live(session: AuthSession) -> bool:
    return session.revoked_at is None and session.expires_at > now() and session.user.is_active


def _decoded(kind: type[Token], raw: str) -> Token:
    try:
        return kind(raw)  # type: ignore[arg-type]
    except TokenError as error:
        code = "token_expired" if "expired" in str(error).lower() else "token_invalid"
        raise Unauthenticated(BAD_TOKEN, code=code) from error


def _pair(session: AuthSession, *, single_use: bool = False) -> TokenPair:
    """The newest tokens of a session; the refresh token is the same text each time."""
    issued_at: datetime = session.successor_at or session.created_at
    refresh_token = RefreshToken()
    _claim(refresh_token, session)
    refresh_token["gen"] = session.issued_generation
    refresh_token["jti"] = session.successor_jti
    if single_use:
        refresh_token["once"] = True
    refresh_token.set_iat(at_time=issued_at)
    refresh_token.set_exp(
        from_time=issued_at, lifetime=timedelta(seconds=settings.REFRESH_TTL_SECONDS)
    )
    access = AccessToken()
    _claim(access, session)
    access.set_exp(lifetime=timedelta(seconds=settings.ACCESS_TTL_SECONDS))
    return TokenPair(
        user=session.user,
        access=str(access),
        refresh=str(refresh_token),
        expires_in=settings.ACCESS_TTL_SECONDS,
        sid=session.sid,
    )


def _claim(token: Token, session: AuthSession) -> None:
    token["sid"] = str(session.sid)
    token["sub"] = str(session.user.uuid)
    token["user_id"] = str(session.user_id)
    token["role"] = session.user.role
