"""Who may do what: roles and the permissions they carry. The only place that says so."""

from dataclasses import replace

from common.errors import Denied
from common.principal import ADMIN, EXPORTER, LIVE, TRADER, VIEWER, Principal

from .models import User

READ_DATA = "read"
EXPORT_DATA = "export"
TRADE = "trade"
MANAGE = "manage"
RISK = "risk"
USERS = "users"
PLATFORM = "platform"

# What a key may be limited to. Without a list of its own a key has all but ``users``: people, keys
# and passwords are no machine's affair unless somebody said so.
SCOPES = (READ_DATA, EXPORT_DATA, TRADE, LIVE, RISK, MANAGE, USERS)
USUAL_SCOPES = frozenset(SCOPES) - {USERS}

_BY_ROLE: dict[str, frozenset[str]] = {
    ADMIN: frozenset({READ_DATA, EXPORT_DATA, TRADE, MANAGE, RISK, USERS}),
    TRADER: frozenset({READ_DATA, TRADE}),
    EXPORTER: frozenset({READ_DATA, EXPORT_DATA}),
    VIEWER: frozenset({READ_DATA}),
}


def permissions_of(role: str, *, is_superuser: bool = False) -> list[str]:
    """The permissions of a role, sorted; a superuser has the administrator's and ``platform``."""
    if is_superuser:
        return sorted({*_BY_ROLE[ADMIN], PLATFORM})
    return sorted(_BY_ROLE.get(role, frozenset()))


def may(principal: Principal, permission: str) -> bool:
    """Whether the principal holds a permission, by its role and within its scopes."""
    if principal.scopes is not None and permission not in principal.scopes:
        return False
    return permission in permissions_of(principal.role, is_superuser=principal.is_superuser)


def held_by(principal: Principal) -> list[str]:
    """The permissions the principal holds, sorted."""
    permissions = permissions_of(principal.role, is_superuser=principal.is_superuser)
    return [each for each in permissions if may(principal, each)]


def lesser_role(claimed: str, role: str, *, is_superuser: bool = False) -> str:
    """The claimed role, or the user's own where that one may do less."""
    allowed = set(permissions_of(role, is_superuser=is_superuser))
    return claimed if set(permissions_of(claimed)) <= allowed else role


def demand(principal: Principal, permission: str) -> None:
    """Raise Denied unless the principal holds the permission."""
    if not may(principal, permission):
        raise Denied("Your role does not allow this.", code="permission_denied")


def demand_reach(by: Principal, role: str, *, with_grants: bool = False) -> None:
    """Raise Denied where a key would gain by logging in as such a person: rights beyond its scopes,
    or, where it ends, any that stay.

    ``with_grants`` for people that are there already: grants may carry every right on accounts.
    """
    if by.expires_at is not None:
        raise Denied("A key that ends cannot give what stays.", code="key_is_limited")
    needed = set(permissions_of(role))
    if role == ADMIN or with_grants:
        needed |= {READ_DATA, TRADE, RISK, LIVE}
    if by.scopes is not None and not needed <= by.scopes:
        raise Denied("A key cannot give what it does not have.", code="key_is_limited")


def over(by: Principal, user: User) -> Principal:
    """The one who manages a user, acting within the user's organisation.

    Raises Denied for whoever may not: no administrator has power over a superuser, or over people
    of another organisation.
    """
    demand(by, USERS)
    if not by.is_superuser and (user.is_superuser or user.organisation_id != by.organisation_id):
        raise Denied("Your role does not allow this.", code="permission_denied")
    if by.account_ids is not None:
        raise Denied("This key is limited to single accounts.", code="key_is_limited")
    return replace(by, organisation_id=user.organisation_id)
