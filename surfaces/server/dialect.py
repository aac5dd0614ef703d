"""Specification 003's dialect: bare answers, uuids, three roles, an error that is a text."""

from typing import Any

from rest_framework.response import Response

from common.clock import iso
from common.principal import EXPORTER, VIEWER
from surfaces.base import DialectView
from users.models import ApiKey, User

UNSTORED = {"Cache-Control": "no-store"}


class ServerView(DialectView):
    """The base of every view of 003; refusals are ``{"error": "text"}``, wrong input is a 400."""


def shown_role(role: str) -> str:
    """003 knows admin, trader and viewer; an exporter is a viewer there."""
    return VIEWER if role == EXPORTER else role


def shown_user(user: User) -> dict[str, Any]:
    """A person as 003 shows it; needs the organisation."""
    return {
        "id": str(user.uuid),
        "org_id": str(user.organisation.uuid),
        "username": user.username,
        "email": user.email,
        "role": shown_role(user.role),
        "active": user.is_active,
        "must_reset_password": user.must_reset_password,
        "created_at": iso(user.created_at),
    }


def shown_key(key: ApiKey) -> dict[str, Any]:
    """A key without its text; needs the user."""
    return {
        "api_key_id": str(key.uuid),
        "label": key.label,
        "prefix": key.prefix,
        "role": shown_role(key.role),
        "user_id": str(key.user.uuid),
        "account_ids": key.account_ids,
        "scopes": key.scopes,
        "created_at": iso(key.created_at),
        "expires_at": iso(key.expires_at) if key.expires_at else None,
        "last_used_at": iso(key.last_used_at) if key.last_used_at else None,
        "revoked_at": iso(key.revoked_at) if key.revoked_at else None,
    }


def unstored(body: dict[str, Any]) -> Response:
    """An answer with a secret in it, which nothing on the way may keep."""
    return Response(body, headers=UNSTORED)
