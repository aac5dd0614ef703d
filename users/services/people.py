"""People of an organisation: made, changed, signed out."""

from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from common.errors import Conflict, Denied, Invalid
from common.principal import Principal
from events.log import audit
from users.models import AuthSession, Organisation, Role, User
from users.passwords import void_resets
from users.permissions import USERS, demand, demand_reach, over
from users.rights_news import tell_rights_changed
from users.sessions import end_sessions, revoke

POWER = frozenset({"is_staff", "is_superuser"})
TAKEN = "User name or e-mail address is taken."


@transaction.atomic
def create_user(
    *,
    organisation: Organisation,
    username: str,
    email: str,
    password: str | None,
    role: str = Role.VIEWER,
    is_staff: bool = False,
    is_superuser: bool = False,
    must_reset_password: bool = False,
    by: Principal | None = None,
) -> User:
    """A user of an organisation; None for ``by`` stands for the platform itself.

    Raises Denied (a key gives no role beyond its scopes, one that ends gives none), Invalid, and
    Conflict when name or address is taken in the installation.
    """
    if by is not None:
        by = _adding_to(organisation, by, with_power=is_staff or is_superuser)
        demand_reach(by, role)
    _demand_role(role)
    _demand_unlike_others(None, username=username, email=email)
    try:
        with transaction.atomic():
            user: User = User.objects.create_user(
                username,
                email,
                password,
                organisation=organisation,
                role=role,
                is_staff=is_staff,
                is_superuser=is_superuser,
                must_reset_password=must_reset_password,
            )
    except IntegrityError as error:
        raise Conflict(TAKEN, code="user_exists") from error
    audit(
        by,
        "user.created",
        actor="system",
        organisation_id=organisation.pk,
        target=f"user:{user.pk}",
        after={
            "username": username,
            "role": role,
            "is_staff": is_staff,
            "is_superuser": is_superuser,
        },
    )
    return user


def _adding_to(organisation: Organisation, by: Principal, *, with_power: bool) -> Principal:
    demand(by, USERS)
    if not by.is_superuser and (with_power or organisation.pk != by.organisation_id):
        raise Denied("Your role does not allow this.", code="permission_denied")
    if by.account_ids is not None:
        raise Denied("This key is limited to single accounts.", code="key_is_limited")
    return replace(by, organisation_id=organisation.pk)


@transaction.atomic
def change_user(
    *,
    user: User,
    by: Principal,
    role: str | None = None,
    is_active: bool | None = None,
    is_staff: bool | None = None,
    is_superuser: bool | None = None,
    email: str | None = None,
) -> User:
    """Change what is given; other rights end the user's sessions, another address voids resets.

    Changes of one organisation's people wait for each other, so that of several at once none can
    leave it without an active administrator. Raises Denied (power comes from superusers alone; a
    key gives no role, and moves nobody's mail, beyond its scopes, one that ends only shuts out),
    Invalid, Conflict ``last_admin`` or ``user_exists``.
    """
    acting = over(by, user)
    # Not the whole rows: a log-in that holds the person refers to the organisation.
    Organisation.objects.select_for_update(no_key=True).get(pk=user.organisation_id)
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    given = {
        "role": role,
        "is_active": is_active,
        "is_staff": is_staff,
        "is_superuser": is_superuser,
        "email": None if email is None else User.objects.normalize_email(email),
    }
    after = {
        name: value
        for name, value in given.items()
        if value is not None and value != getattr(user, name)
    }
    if after:
        _change(user, acting, after)
    return user


def _change(user: User, by: Principal, after: dict[str, Any]) -> None:
    """Write, record and let take effect; the rows are locked."""
    _demand_role(after.get("role", user.role))
    if POWER & set(after) and not by.is_superuser:
        raise Denied("Your role does not allow this.", code="permission_denied")
    if after != {"is_active": False}:
        demand_reach(by, after.get("role", user.role), with_grants="email" in after)
    was_admin = _is_active_admin(user)
    before = {name: getattr(user, name) for name in after}
    for name, value in after.items():
        setattr(user, name, value)
    if was_admin and not _is_active_admin(user) and not _other_admins(user):
        raise Conflict("The last administrator stays one.", code="last_admin")
    if "email" in after:
        _demand_unlike_others(user, username=user.username, email=user.email)
    try:
        with transaction.atomic():
            user.save(update_fields=list(after))
    except IntegrityError as error:
        raise Conflict(TAKEN, code="user_exists") from error
    audit(by, "user.changed", target=f"user:{user.pk}", before=before, after=after)
    if "email" in after:
        void_resets(user)
    if set(after) != {"email"}:
        tell_rights_changed(user)
        reason = "role_changed" if user.is_active else "user_disabled"
        end_sessions(user=user, reason=reason, by=by)


def _demand_unlike_others(user: User | None, *, username: str, email: str) -> None:
    """Raise Conflict where a name is somebody else's address or the reverse: both log in.

    No constraint can say so; whoever gives a name or an address waits for the others at one row.
    """
    list(Organisation.objects.select_for_update(no_key=True).order_by("pk")[:1])
    others = User.objects.exclude(pk=user.pk) if user else User.objects.all()
    if others.filter(Q(email__iexact=username) | Q(username__iexact=email)).exists():
        raise Conflict(TAKEN, code="user_exists")


def _demand_role(role: str) -> None:
    if role not in Role.values:
        raise Invalid("Unknown role.", fields={"role": f"one of {', '.join(Role.values)}"})


def _is_active_admin(user: User) -> bool:
    return user.role == Role.ADMIN and user.is_active


def _other_admins(user: User) -> bool:
    admins = User.objects.filter(
        organisation_id=user.organisation_id, role=Role.ADMIN, is_active=True
    )
    return admins.exclude(pk=user.pk).exists()


@transaction.atomic
def revoke_sessions(*, user: User, by: Principal) -> int:
    """End all live sessions of a user, returns how many; others' only as an administrator."""
    acting = by if user.pk == by.user_id and by.session_id else over(by, user)
    ended = end_sessions(user=user, reason="revoked", by=acting)
    audit(acting, "sessions.revoked", target=f"user:{user.pk}", after={"ended": ended})
    return ended


@transaction.atomic
def end_session(*, session: AuthSession, by: Principal, reason: str = "") -> None:
    """End somebody's session; raises Denied, Conflict when it has ended."""
    acting = over(by, session.user)
    if session.revoked_at is not None:
        raise Conflict("The session has ended already.", code="already_revoked")
    revoke(session, reason="operator", by=acting)
    target = f"session:{session.sid}"
    audit(acting, "console.session_revoked", target=target, after={"reason": reason})
