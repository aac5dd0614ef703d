"""Builds the Principal of whatever credential: the only place that does."""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Aggregate, JSONField, OuterRef, QuerySet, Subquery

from common.clock import now
from common.errors import Denied, Unauthenticated
from common.principal import LIVE, READ, RISK, TRADE, Principal
from users.models import ApiKey, AuthSession, User
from users.outside import OutsideCaller, caller_of_key, caller_of_token
from users.permissions import MANAGE, SCOPES, USUAL_SCOPES, demand, lesser_role
from users.sessions import BAD_TOKEN, live_api_key, session_of_access

from .models import AccountGrant

MAX_CREDENTIAL_LENGTH = 4096
RIGHTS = (READ, TRADE, RISK, LIVE)
NOTE_USE_EVERY = timedelta(minutes=1)
Row = TypeVar("Row", bound=models.Model)


class _Rows(Aggregate):
    """An array of arrays, one for each row; the same in both databases."""

    function = "jsonb_agg"
    template = "jsonb_agg(jsonb_build_array(%(expressions)s))"
    output_field = JSONField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return super().as_sql(
            compiler,
            connection,
            template="json_group_array(json_array(%(expressions)s))",
            **extra,
        )


def _with_grants(rows: QuerySet[Row], user: str = "user_id") -> QuerySet[Row]:
    """Rows of a user or its credentials with the user's grants in the same query."""
    grants = AccountGrant.objects.filter(user=OuterRef(user)).order_by().values("user")
    found = grants.annotate(
        rows=_Rows("account_id", "can_read", "can_trade", "can_manage_risk", "can_trade_live")
    )
    return rows.annotate(grant_rows=Subquery(found.values("rows")))


@lru_cache(maxsize=1)
def _sessions() -> QuerySet[AuthSession]:
    """Put together once: that takes a sixth of a request's CPU. Every use makes a copy."""
    return _with_grants(AuthSession.objects.all())


@lru_cache(maxsize=1)
def _keys() -> QuerySet[ApiKey]:
    """As for sessions."""
    return _with_grants(ApiKey.objects.all())


def authenticate(raw_token: str, *, address: str = "") -> Principal:
    """The caller behind the text of a token or a key; raises Unauthenticated.

    Costs one query: session or key, user, organisation and grants are read together. Nothing is
    cached, so a revoked session or key, a lost role or grant counts at once. That a key was used is
    noted once a minute, by a second one.
    """
    return identify(raw_token, address=address)[1]


def identify(raw_token: str, *, address: str = "") -> tuple[User, Principal]:
    """As :func:`authenticate`, with the user the credential belongs to."""
    if not raw_token or len(raw_token) > MAX_CREDENTIAL_LENGTH or not raw_token.isascii():
        raise Unauthenticated(BAD_TOKEN, code="token_invalid")
    if raw_token.startswith("eyJ") and raw_token.count(".") == 2:
        return _identify_token(raw_token, address)
    outside = caller_of_key(raw_token, _with_grants(User.objects.all(), "pk"))
    if outside is not None:
        return outside.user, _principal_from_outside(outside, address, frozenset(SCOPES))
    key = live_api_key(raw_token, _keys())
    _note_use(key)
    return key.user, principal_of_key(key, address=address)


def _identify_token(raw_token: str, address: str) -> tuple[User, Principal]:
    """By one of our own tokens, else by a foreign one where those are switched on."""
    try:
        session = session_of_access(raw_token, _sessions())
    except Unauthenticated as error:
        if error.code != "token_invalid" or not settings.JWT_SECRET:
            raise
    else:
        return session.user, principal_of_session(session, address=address)
    outside = caller_of_token(raw_token, _with_grants(User.objects.all(), "pk"))
    return outside.user, _principal_from_outside(outside, address, None)


def _note_use(key: ApiKey) -> None:
    moment = now()
    if key.last_used_at is None or moment - key.last_used_at >= NOTE_USE_EVERY:
        ApiKey.objects.filter(pk=key.pk, last_used_at=key.last_used_at).update(last_used_at=moment)


def principal_of_session(session: AuthSession, *, address: str = "") -> Principal:
    """The user of a live session, with the role the database has now, whatever its token says."""
    user = session.user
    return Principal(
        organisation_id=user.organisation_id,
        role=user.role,
        key=f"user:{user.pk}",
        user_id=user.pk,
        user_uuid=user.uuid,
        username=user.username,
        session_id=session.sid,
        grants=_grants_of(session),
        is_superuser=user.is_superuser,
        address=address,
    )


def principal_of_user(user: User, *, address: str = "") -> Principal:
    """A person signed in on pages (by Django's session), with role and grants as of now."""
    unsaved = AuthSession(user=user)
    return replace(principal_of_session(unsaved, address=address), session_id=None)


def principal_of_key(key: ApiKey, *, address: str = "") -> Principal:
    """The machine behind a key: never more than its user may, limited to the key's accounts and
    scopes.

    The user's grants count only for a key of the user's own role. A key is never a platform
    superuser.
    """
    user = key.user
    role = lesser_role(key.role, user.role, is_superuser=user.is_superuser)
    return Principal(
        organisation_id=key.organisation_id,
        role=role,
        key=f"key:{key.pk}",
        user_id=key.user_id,
        user_uuid=user.uuid,
        username=user.username,
        account_ids=None if key.account_ids is None else frozenset(key.account_ids),
        grants=_grants_of(key) if role == user.role else {},
        address=address,
        scopes=USUAL_SCOPES if key.scopes is None else frozenset(key.scopes),
        expires_at=key.expires_at,
    )


def _principal_from_outside(
    caller: OutsideCaller, address: str, scopes: frozenset[str] | None
) -> Principal:
    """As for a key; what an operator's own key or a trusted issuer says has all scopes."""
    user = caller.user
    role = lesser_role(caller.role, user.role, is_superuser=user.is_superuser)
    return Principal(
        organisation_id=user.organisation_id,
        role=role,
        key=caller.name,
        user_id=user.pk,
        user_uuid=user.uuid,
        username=user.username,
        grants=_grants_of(user) if role == user.role else {},
        address=address,
        scopes=scopes,
    )


def demand_organisation_wide(principal: Principal) -> None:
    """Raise Denied unless the caller may manage and is not limited to single accounts."""
    demand(principal, MANAGE)
    if principal.account_ids is not None:
        raise Denied("This key is limited to single accounts.", code="key_is_limited")


def _grants_of(credential: AuthSession | ApiKey | User) -> dict[int, frozenset[str]]:
    """The rights on single accounts, as read with the credential, else by a query."""
    if not hasattr(credential, "grant_rows"):
        user_id = credential.pk if isinstance(credential, User) else credential.user_id
        rows = AccountGrant.objects.filter(user_id=user_id).values_list(
            "account_id", "can_read", "can_trade", "can_manage_risk", "can_trade_live"
        )
    else:
        rows = credential.grant_rows or []
    return {
        account_id: frozenset(right for right, held in zip(RIGHTS, flags, strict=True) if held)
        for account_id, *flags in rows
    }
