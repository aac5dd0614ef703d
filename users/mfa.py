"""The second factor: codes of an authenticator app (RFC 6238) and recovery codes.

A code is good for its own 30 seconds and the steps beside them, once: an accepted step and all
before it are refused from then on. Wrong codes are throttled like wrong passwords.
"""

import base64
import secrets
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.contrib.auth.hashers import check_password
from django.db import transaction
from django_otp.oath import TOTP

from common.clock import now
from common.crypto import seal, unseal
from common.errors import Conflict, Invalid, NotFound, Unauthenticated
from common.ids import digest
from common.principal import Principal
from events.log import audit

from .models import RecoveryCode, TotpDevice, User
from .permissions import over
from .throttles import login_attempt

ISSUER = "Trading platform"
SECRET_BYTES = 20
STEP_SECONDS = 30
TOLERANCE_STEPS = 1
RECOVERY_CODES = 10
WRONG_CODE = "The code is wrong or was used before."


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs: the secret in base32, and the same as an address."""

    secret: str
    uri: str


def is_enabled(user: User) -> bool:
    """Whether the user logs in with a second factor."""
    return TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).exists()


@transaction.atomic
def enrol(*, user: User) -> Enrolment:
    """Begin: a new secret, in force once :func:`confirm` has seen a code of it.

    Raises Conflict ``mfa_enabled`` when a second factor is in force already.
    """
    if is_enabled(user):
        raise Conflict("A second factor is in force already.", code="mfa_enabled")
    secret = secrets.token_bytes(SECRET_BYTES)
    text = base64.b32encode(secret).decode("ascii")
    TotpDevice.objects.update_or_create(
        user=user,
        defaults={"secret_sealed": seal(text, place=_place(user)), "last_step": 0},
    )
    return _enrolment(user, text)


def begun(*, user: User) -> Enrolment | None:
    """What was begun and is not in force yet; None where nothing is."""
    device = TotpDevice.objects.filter(user=user, confirmed_at=None).first()
    return _enrolment(user, unseal(device.secret_sealed, place=_place(user))) if device else None


def _enrolment(user: User, secret: str) -> Enrolment:
    label = quote(f"{ISSUER}:{user.username}")
    query = urlencode({"secret": secret, "issuer": ISSUER, "digits": 6, "period": STEP_SECONDS})
    return Enrolment(secret, f"otpauth://totp/{label}?{query}")


def codes_left(user: User) -> int:
    """How many recovery codes have not been used."""
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def confirm(*, user: User, code: str, address: str = "") -> list[str]:
    """Put the begun second factor in force; returns the recovery codes, shown this once.

    Raises Invalid for a wrong code, NotFound when nothing was begun, Conflict when it is in force.
    """
    device = TotpDevice.objects.filter(user=user).first()
    if device is None:
        raise NotFound("No second factor was begun.", code="mfa_not_enrolled")
    if device.confirmed_at is not None:
        raise Conflict("A second factor is in force already.", code="mfa_enabled")
    with login_attempt(f"mfa:{user.pk}", address) as attempt:
        attempt.succeeded = _accepts(device, code)
    if not attempt.succeeded:
        raise Invalid(WRONG_CODE, code="mfa_invalid", fields={"code": "wrong"})
    with transaction.atomic():
        TotpDevice.objects.filter(pk=device.pk).update(confirmed_at=now())
        codes = _new_codes(user)
        _record(user, "mfa.enabled", address=address)
    return codes


def check(*, user: User, code: str, address: str = "") -> None:
    """Accept a code of the second factor, or a recovery code, once.

    Raises Unauthenticated ``mfa_invalid`` for a wrong or repeated one, TooMany after several.
    """
    with login_attempt(f"mfa:{user.pk}", address) as attempt:
        attempt.succeeded = _use(user, code)
    if not attempt.succeeded:
        _record(user, "mfa.failed", address=address)
        raise Unauthenticated(WRONG_CODE, code="mfa_invalid")


def _use(user: User, code: str) -> bool:
    text = "".join(code.split()).replace("-", "").lower()
    device = TotpDevice.objects.filter(user=user).exclude(confirmed_at=None).first()
    if device is not None and _accepts(device, text):
        return True
    spent = RecoveryCode.objects.filter(
        user=user, code_hash=_code_hash(user, text), used_at=None
    ).update(used_at=now())
    if spent:
        _record(user, "mfa.recovery_code_used")
    return bool(spent)


def _accepts(device: TotpDevice, code: str) -> bool:
    """Compare with the codes around now; the step is taken by a conditional update."""
    text = "".join(code.split())
    if not (text.isascii() and text.isdecimal() and len(text) == 6):
        return False
    secret = unseal(device.secret_sealed, place=_place(device.user))
    totp = TOTP(base64.b32decode(secret), step=STEP_SECONDS)
    totp.time = now().timestamp()
    if not totp.verify(int(text), tolerance=TOLERANCE_STEPS, min_t=device.last_step + 1):
        return False
    step = totp.t()
    taken = TotpDevice.objects.filter(pk=device.pk, last_step__lt=step).update(last_step=step)
    return bool(taken)


def disable(*, user: User, password: str, code: str, address: str = "") -> None:
    """Take the second factor away; asks for the password and a code.

    Raises NotFound when none is in force, Unauthenticated for a wrong password or code.
    """
    if not is_enabled(user):
        raise NotFound("No second factor is in force.", code="mfa_not_enrolled")
    with login_attempt(f"user:{user.pk}", address) as attempt:
        attempt.succeeded = check_password(password, user.password)
    if not attempt.succeeded:
        raise Unauthenticated("The password is wrong.", code="invalid_credentials")
    check(user=user, code=code, address=address)
    _remove(user)
    _record(user, "mfa.disabled", address=address)


def renew_codes(*, user: User, code: str, address: str = "") -> list[str]:
    """New recovery codes instead of the old ones; raises Unauthenticated for a wrong code."""
    if not is_enabled(user):
        raise NotFound("No second factor is in force.", code="mfa_not_enrolled")
    check(user=user, code=code, address=address)
    with transaction.atomic():
        codes = _new_codes(user)
        _record(user, "mfa.recovery_codes_renewed", address=address)
    return codes


def reset(*, user: User, by: Principal) -> None:
    """An administrator takes a lost second factor away; raises Denied, NotFound."""
    acting = over(by, user)
    if not TotpDevice.objects.filter(user=user).exists():
        raise NotFound("The user has no second factor.", code="mfa_not_enrolled")
    _remove(user)
    audit(acting, "mfa.reset", target=f"user:{user.pk}")


@transaction.atomic
def reseal(device: TotpDevice) -> None:
    """Seal the secret under the key that writes now; the row is for the caller to save. Raises
    SealError.
    """
    place = _place(device.user)
    device.secret_sealed = seal(unseal(device.secret_sealed, place=place), place=place)


def _remove(user: User) -> None:
    TotpDevice.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()


def _new_codes(user: User) -> list[str]:
    """Ten codes of 80 bits, in groups of four; the old ones go."""
    RecoveryCode.objects.filter(user=user).delete()
    codes = [
        base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)
    ]
    RecoveryCode.objects.bulk_create(
        [RecoveryCode(user=user, code_hash=_code_hash(user, code)) for code in codes]
    )
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def _code_hash(user: User, code: str) -> str:
    return digest(f"{user.uuid}:{code}")


def _place(user: User) -> str:
    return f"user:{user.uuid}:totp"


def _record(user: User, action: str, *, address: str = "") -> None:
    audit(
        None,
        action,
        actor=f"user:{user.pk}",
        organisation_id=user.organisation_id,
        target=f"user:{user.pk}",
        address=address,
    )
