"""Credentials that come from outside the database: keys of the environment, foreign tokens.

Both only say who it is. What that user may is read from the database at each request, so neither
can do more than the user, and nothing is left of them once the user is gone.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings
from django.db.models import Q, QuerySet

from common.errors import Unauthenticated
from common.ids import digest
from common.principal import OutsideKey

from .models import Role, User
from .sessions import BAD_TOKEN

_OPTIONS = {"require": ["exp", "sub"]}


@dataclass(frozen=True, slots=True)
class OutsideCaller:
    """Who an outside credential names; ``name`` marks its acts, ``role`` is what it claims."""

    user: User
    role: str
    name: str


def caller_of_key(raw: str, rows: QuerySet[User]) -> OutsideCaller | None:
    """The user of a key of ``API_KEYS`` or ``API_KEY``, None for any other text.

    One query, with whatever ``rows`` brings along. Raises Unauthenticated where the user is gone,
    disabled, or not of the organisation the setting says.
    """
    key: OutsideKey | None = settings.OUTSIDE_KEYS.get(digest(raw))
    if key is None:
        return None
    rows = rows.select_related("organisation").filter(is_active=True)
    if key.user_id:
        user = rows.filter(_named(key.user_id)).first()
    else:
        user = rows.filter(is_superuser=True).order_by("pk").first()
    if user is None or not _is_of(user, key.organisation_id):
        raise Unauthenticated(BAD_TOKEN, code="token_invalid")
    return OutsideCaller(user, key.role, f"env:{key.name}")


def caller_of_token(raw: str, rows: QuerySet[User]) -> OutsideCaller:
    """The user that a token signed with ``JWT_SECRET`` names; off without that setting.

    HS256 alone, with an expiry; ``sub`` is a user's uuid, ``org_id`` must be that user's, ``role``
    may only be less than the user's. Raises Unauthenticated.
    """
    claims = _claims(raw)
    subject = claims["sub"]
    role = claims.get("role")
    try:
        user = (
            rows.select_related("organisation")
            .filter(uuid=uuid.UUID(subject), is_active=True)
            .first()
        )
    except ValueError as error:
        raise Unauthenticated(BAD_TOKEN, code="token_invalid") from error
    if user is None or not _is_of(user, claims.get("org_id")) or role not in (None, *Role.values):
        raise Unauthenticated(BAD_TOKEN, code="token_invalid")
    return OutsideCaller(user, role or user.role, f"jwt:{user.pk}")


def _claims(raw: str) -> dict[str, Any]:
    if not settings.JWT_SECRET:
        raise Unauthenticated(BAD_TOKEN, code="token_invalid")
    try:
        claims: dict[str, Any] = jwt.decode(
            raw, settings.JWT_SECRET, algorithms=["HS256"], options=_OPTIONS
        )
    except jwt.ExpiredSignatureError as error:
        raise Unauthenticated(BAD_TOKEN, code="token_expired") from error
    except jwt.InvalidTokenError as error:
        raise Unauthenticated(BAD_TOKEN, code="token_invalid") from error
    return claims


def _named(text: str) -> Q:
    return Q(pk=int(text)) if text.isdecimal() else Q(uuid=uuid.UUID(text))


def _is_of(user: User, organisation_id: Any) -> bool:
    """Whether an organisation's number or uuid is the user's; nothing said is no objection."""
    if organisation_id in (None, ""):
        return True
    text = str(organisation_id).lower()
    return text in (str(user.organisation_id), str(user.organisation.uuid))
