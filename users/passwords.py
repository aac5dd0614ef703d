"""New passwords: forgotten ones by mail, lost ones by an administrator, one's own by choice."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction

from common.clock import now
from common.errors import Invalid, Unauthenticated
from common.ids import digest, new_secret_token
from common.principal import Principal
from common.wake import wake_on_commit
from events.log import audit

from .models import PasswordReset, User
from .permissions import demand_reach, over
from .sessions import end_sessions
from .throttles import admit_reset, login_attempt

BAD_RESET = "The reset token is wrong, used or expired."
SELF = "self"
MAIL_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class IssuedReset:
    """A reset token in plain text, shown this once."""

    user: User
    token: str
    expires_at: datetime
    ended_sessions: int


def request_reset(*, email: str, address: str) -> None:
    """Have a reset token mailed, if the address is somebody's.

    Says and takes the same either way: a worker looks the address up, makes the token and sends it.
    Raises TooMany for an address that asks again and again.
    """
    admit_reset(address)
    audit(None, "password.reset_requested", actor="anonymous", address=address)
    wake_on_commit("users.mail_reset", email=email)


@transaction.atomic
def mail_reset(*, email: str) -> bool:
    """Make a token for the active user of an address and send it; at most one in five minutes.

    Earlier ones by mail are void.
    """
    user = User.objects.select_for_update().filter(email__iexact=email, is_active=True).first()
    if user is None:
        return False
    recent = PasswordReset.objects.filter(
        user=user, issued_by=SELF, created_at__gt=now() - MAIL_PAUSE
    )
    if recent.exists():
        return False
    token = _new_token(user, SELF)[0]
    link = f"{settings.PUBLIC_URL}/dashboard/reset/?{urlencode({'token': token})}"
    minutes = settings.PASSWORD_RESET_TOKEN_TTL_SECS // 60
    send_mail(
        "Set a new password",
        f"Somebody, hopefully you, asked for a new password of {user.username}.\n\n"
        f"Set it here within {minutes} minutes:\n{link}\n\n"
        f"or give this token to your program:\n{token}\n\n"
        "If it was not you, do nothing: the password stays as it is.\n",
        None,
        [user.email],
    )
    return True


@transaction.atomic
def issue_reset(*, user: User, by: Principal) -> IssuedReset:
    """An administrator lets a user set a new password; ends the user's sessions.

    Earlier tokens of the user are void. Raises Denied, also for a user who may do more than the
    caller's scopes, or to a key that ends.
    """
    acting = over(by, user)
    demand_reach(by, user.role, with_grants=True)
    token, reset = _new_token(user, by.key)
    User.objects.filter(pk=user.pk).update(must_reset_password=True)
    ended = end_sessions(user=user, reason="reset_issued", by=acting)
    audit(acting, "password.reset_issued", target=f"user:{user.pk}")
    return IssuedReset(user, token, reset.expires_at, ended)


def void_resets(user: User, **which: str) -> None:
    """Make every token issued to a user so far good for nothing, or those alone that are such."""
    PasswordReset.objects.filter(user=user, used_at=None, **which).update(used_at=now())


def _new_token(user: User, issuer: str) -> tuple[str, PasswordReset]:
    """A token; anybody may ask for one by mail, so that one voids none of an administrator's."""
    void_resets(user, **({"issued_by": SELF} if issuer == SELF else {}))
    token = new_secret_token()
    reset = PasswordReset.objects.create(
        user=user,
        token_hash=digest(token),
        issued_by=issuer,
        expires_at=now() + timedelta(seconds=settings.PASSWORD_RESET_TOKEN_TTL_SECS),
    )
    return token, reset


@transaction.atomic
def complete_reset(*, token: str, new_password: str, address: str = "") -> tuple[User, int]:
    """Set a password with a token, which is spent; returns the user and how many sessions ended.

    Every other token of the user is void then. Of several at once with one, one wins.
    Raises Unauthenticated ``reset_token_invalid``, Invalid for a weak password (the token is then
    kept).
    """
    fitting = PasswordReset.objects.select_related("user").filter(
        token_hash=digest(token), used_at=None, expires_at__gt=now(), user__is_active=True
    )
    reset = fitting.first()
    if reset is None:
        raise Unauthenticated(BAD_RESET, code="reset_token_invalid")
    demand_strong(new_password, reset.user)
    if not PasswordReset.objects.filter(pk=reset.pk, used_at=None).update(used_at=now()):
        raise Unauthenticated(BAD_RESET, code="reset_token_invalid")
    return reset.user, _set(reset.user, new_password, "password.reset", address)


def change_password(
    *, user: User, old_password: str, new_password: str, keep_sid: object = None, address: str = ""
) -> int:
    """Set one's own new password; every other session ends, returns how many.

    Raises Invalid for a wrong old or a weak new one, TooMany after several wrong ones.
    """
    with login_attempt(f"user:{user.pk}", address) as attempt:
        attempt.succeeded = check_password(old_password, user.password)
    if not attempt.succeeded:
        raise Invalid("The old password is wrong.", fields={"old_password": "wrong"})
    demand_strong(new_password, user)
    with transaction.atomic():
        return _set(user, new_password, "password.changed", address, keep_sid)


def _set(user: User, password: str, action: str, address: str, keep_sid: object = None) -> int:
    user.set_password(password)
    user.must_reset_password = False
    user.save(update_fields=["password", "must_reset_password"])
    void_resets(user)
    audit(
        None,
        action,
        actor=f"user:{user.pk}",
        organisation_id=user.organisation_id,
        target=f"user:{user.pk}",
        address=address,
    )
    return end_sessions(user=user, reason="password_changed", keep_sid=keep_sid, address=address)


def demand_strong(password: str, user: User | None = None) -> None:
    """Raise Invalid, naming ``new_password``, unless the password passes the validators."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(
            "The password is too weak.",
            code="weak_password",
            fields={"new_password": " ".join(error.messages)},
        ) from error
