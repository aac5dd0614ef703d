"""Who somebody is, by name and password."""

from functools import lru_cache

from django.contrib.auth.hashers import (
    check_password,
    get_hasher,
    identify_hasher,
    make_password,
)
from django.db.models import Q

from common.errors import Unauthenticated
from events.log import audit

from .models import User
from .throttles import login_attempt

BAD_LOGIN = "User name or password is wrong."


@lru_cache(maxsize=1)
def _decoy_hash() -> str:
    return make_password("no user has this password")


def verified_user(*, identifier: str, password: str, address: str) -> User:
    """The active user of a name or e-mail address and a password.

    Raises TooMany after too many failures, before the password is looked at, and Unauthenticated,
    alike for unknown users and wrong passwords and after the same amount of work.
    """
    user = (
        User.objects.select_related("organisation")
        .filter(Q(username__iexact=identifier) | Q(email__iexact=identifier))
        .first()
    )
    subject = f"user:{user.pk}" if user else f"name:{identifier.lower()}"
    with login_attempt(subject, address) as attempt:
        matches = check_password(password, user.password if user else _decoy_hash())
        attempt.succeeded = user is not None and matches and user.is_active
    if user is None or not attempt.succeeded:
        record_failure(user, address)
        raise Unauthenticated(BAD_LOGIN, code="invalid_credentials")
    _renew_hash(user, password)
    return user


def record_failure(user: User | None, address: str, reason: str = "") -> None:
    """Audit that nobody was let in; ``reason`` where the password was right and not enough."""
    audit(
        None,
        "login.failed",
        actor="anonymous",
        address=address,
        organisation_id=user.organisation_id if user else None,
        target=f"user:{user.pk}" if user else "",
        after={"reason": reason} if reason else None,
    )


def _renew_hash(user: User, password: str) -> None:
    """Hash the right password anew where that was done in an older way."""
    current = get_hasher()
    if identify_hasher(user.password).algorithm == current.algorithm and not current.must_update(
        user.password
    ):
        return
    known, renewed = user.password, make_password(password)
    if User.objects.filter(pk=user.pk, password=known).update(password=renewed):
        user.password = renewed
        return
    # Another log-in renewed it meanwhile, or there is a new password, which this one does not fit.
    stored = User.objects.values_list("password", flat=True).filter(pk=user.pk).first()
    if stored is not None and check_password(password, stored):
        user.password = stored
