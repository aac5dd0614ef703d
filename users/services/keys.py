"""Keys of machines."""

from datetime import datetime

from django.db import transaction

from common.clock import now
from common.errors import Conflict, Denied, Invalid
from common.ids import API_KEY_PREFIX, digest, new_secret_token
from common.principal import Principal
from events.log import audit
from users.models import ApiKey, User
from users.permissions import SCOPES, USERS, USUAL_SCOPES, demand, lesser_role, over
from users.rights_news import tell_key_ended

MIN_KEY_LENGTH = 24


@transaction.atomic
def create_api_key(
    *,
    user: User,
    label: str,
    role: str | None = None,
    account_ids: list[int] | None = None,
    scopes: list[str] | None = None,
    expires_at: datetime | None = None,
    plain_key: str | None = None,
    by: Principal | None = None,
) -> tuple[ApiKey, str]:
    """A key and its plain text, which is shown this once and not stored.

    ``scopes`` None means all that the role may but ``users``; ``expires_at`` None means never, or
    for a caller that is a key itself, with it. ``plain_key`` takes over a
    machine-made key from outside (at least 24 characters). Raises Invalid where that is too short
    or something is unknown or over, Denied for more than ``by`` has itself, Conflict when the key
    exists.
    """
    if plain_key is not None and len(plain_key) < MIN_KEY_LENGTH:
        raise Invalid(f"An API key has at least {MIN_KEY_LENGTH} characters.", code="weak_key")
    _demand_sound(user, role, scopes, expires_at)
    if by is not None:
        demand(by, USERS)
        scopes = _within_own(by, scopes, account_ids)
        expires_at = _within_life(by, expires_at)
        by = _keeper(by, user)
    secret = new_secret_token()
    text = plain_key or f"{API_KEY_PREFIX}{digest(secret)[:8]}_{secret}"
    if ApiKey.objects.filter(key_hash=digest(text)).exists():
        raise Conflict("This key exists.", code="key_exists")
    key = ApiKey.objects.create(
        organisation_id=user.organisation_id,
        user=user,
        label=label,
        prefix=text[:11],
        key_hash=digest(text),
        role=role or user.role,
        account_ids=account_ids,
        scopes=scopes,
        expires_at=expires_at,
    )
    audit(
        by,
        "api_key.created",
        actor="system",
        organisation_id=user.organisation_id,
        target=f"key:{key.pk}",
        after={
            "label": label,
            "role": key.role,
            "user": user.pk,
            "scopes": scopes,
            "account_ids": account_ids,
            "expires_at": expires_at.isoformat() if expires_at else None,
        },
    )
    return key, text


def _demand_sound(
    user: User, role: str | None, scopes: list[str] | None, expires_at: datetime | None
) -> None:
    faults = {}
    if role and lesser_role(role, user.role, is_superuser=user.is_superuser) != role:
        faults["role"] = "may do more than the user"
    if scopes is not None and not set(scopes) <= set(SCOPES):
        faults["scopes"] = f"some of {', '.join(SCOPES)}"
    if expires_at is not None and expires_at <= now():
        faults["expires_at"] = "must lie ahead"
    if faults:
        raise Invalid("The key cannot be made like this.", fields=faults)


def _within_own(
    by: Principal, scopes: list[str] | None, account_ids: list[int] | None
) -> list[str] | None:
    """The scopes, no more than the caller's own; a key passes on nothing it does not have."""
    if by.account_ids is not None and not (account_ids and by.account_ids.issuperset(account_ids)):
        raise Denied("This key is limited to single accounts.", code="key_is_limited")
    if by.scopes is None:
        return scopes
    wanted = USUAL_SCOPES & by.scopes if scopes is None else frozenset(scopes)
    if not wanted <= by.scopes:
        raise Denied("A key cannot give what it does not have.", code="key_is_limited")
    return sorted(wanted)


def _within_life(by: Principal, expires_at: datetime | None) -> datetime | None:
    """When the key ends, no later than the caller's own; a key does not outlive itself."""
    if by.expires_at is not None and expires_at is not None and expires_at > by.expires_at:
        raise Denied("A key cannot make one that outlives it.", code="key_is_limited")
    return expires_at or by.expires_at


def _keeper(by: Principal, user: User) -> Principal:
    """The one who has a say over a user's keys: oneself, or whoever has power over the user."""
    return by if user.pk == by.user_id else over(by, user)


@transaction.atomic
def revoke_api_key(*, key: ApiKey, by: Principal, reason: str = "") -> None:
    """Make a key fail from the next request on.

    Raises Denied for a key of somebody the caller has no power over, Conflict when it was revoked
    before.
    """
    acting = _keeper(by, key.user)
    changed = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now())
    if not changed:
        raise Conflict("The key is revoked already.", code="already_revoked")
    audit(
        acting,
        "api_key.revoked",
        target=f"key:{key.pk}",
        after={"reason": reason},
    )
    tell_key_ended(key)
