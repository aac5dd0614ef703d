"""The second factor: enrolled by proof, asked for after the password, each code good once."""

from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
import time_machine

from common.clock import now
from common.errors import Conflict, Denied, Invalid, NotFound, TooMany, Unauthenticated
from events.models import AuditRecord
from tests.users.people import PASSWORD, Person, new_organisation, new_person
from users import mfa
from users.models import AuthSession, RecoveryCode, TotpDevice
from users.sessions import Device, login


class Phone:
    """An authenticator app that holds a user's secret."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.enrolment = mfa.enrol(user=person.user)
        self._totp = pyotp.TOTP(self.enrolment.secret)

    def code(self, steps: int = 0) -> str:
        """The code of now, or of so many steps later."""
        return str(self._totp.at(int(now().timestamp()) + 30 * steps))

    def confirm(self) -> list[str]:
        return mfa.confirm(user=self.person.user, code=self.code())


def outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except (Unauthenticated, TooMany, Invalid, Conflict, NotFound, Denied) as error:
        return error.code
    return "ok"


def log_in(code: str = "", password: str = PASSWORD) -> str:
    device = Device(address="10.0.0.1")
    return outcome(
        lambda: login(identifier="ours-admin", password=password, device=device, mfa_token=code)
    )


def test_a_factor_is_in_force_once_a_code_was_shown(admin: Person) -> None:
    phone = Phone(admin)
    assert log_in() == "ok"
    assert outcome(lambda: mfa.confirm(user=admin.user, code="000000")) == "mfa_invalid"
    assert not mfa.is_enabled(admin.user)
    codes = phone.confirm()
    assert mfa.is_enabled(admin.user)
    assert len(set(codes)) == 10
    assert outcome(lambda: mfa.enrol(user=admin.user)) == "mfa_enabled"
    assert outcome(phone.confirm) == "mfa_enabled"
    stored = TotpDevice.objects.get().secret_sealed
    assert stored.startswith("enc:v1:")
    assert phone.enrolment.secret not in stored
    assert not RecoveryCode.objects.filter(code_hash__in=codes).exists()


def test_the_factor_is_asked_for_only_after_the_right_password(admin: Person) -> None:
    Phone(admin).confirm()
    sessions = AuthSession.objects.count()
    assert log_in(password="wrong") == "invalid_credentials"
    assert log_in("123456", password="wrong") == "invalid_credentials"
    assert log_in() == "mfa_required"
    refusals = AuditRecord.objects.filter(action="login.failed").order_by("pk")
    assert [row.after for row in refusals] == [None, None, {"reason": "mfa_required"}]
    assert AuthSession.objects.count() == sessions


def test_a_code_and_all_before_it_are_good_once(admin: Person) -> None:
    moment = now()
    with time_machine.travel(moment, tick=False) as clock:
        phone = Phone(admin)
        phone.confirm()
        assert log_in(phone.code()) == "mfa_invalid"
        clock.shift(timedelta(seconds=60))
        code = phone.code()
        assert log_in(code) == "ok"
        assert log_in(code) == "mfa_invalid"
        assert log_in(phone.code(-1)) == "mfa_invalid"
        assert log_in(f" {phone.code(1)[:3]} {phone.code(1)[3:]} ") == "ok"
        assert log_in(phone.code(2)) == "mfa_invalid"


def test_a_recovery_code_stands_in_once(admin: Person) -> None:
    codes = Phone(admin).confirm()
    assert log_in(codes[0]) == "ok"
    assert log_in(codes[0]) == "mfa_invalid"
    assert log_in(codes[1].upper()) == "ok"
    other = new_person(admin.user.organisation, "vera", "viewer")
    Phone(other).confirm()
    with pytest.raises(Unauthenticated):
        mfa.check(user=other.user, code=codes[2])


def test_wrong_codes_are_throttled_like_passwords(admin: Person) -> None:
    phone = Phone(admin)
    phone.confirm()
    assert [log_in("000000") for _ in range(6)] == [*["mfa_invalid"] * 5, "too_many_attempts"]
    with time_machine.travel(now() + timedelta(seconds=90)):
        assert log_in(phone.code()) == "ok"


def test_taking_the_factor_away_asks_for_password_and_code(admin: Person) -> None:
    codes = Phone(admin).confirm()

    def disable(password: str, code: str) -> str:
        return outcome(lambda: mfa.disable(user=admin.user, password=password, code=code))

    assert disable("wrong", codes[0]) == "invalid_credentials"
    assert disable(PASSWORD, "000000") == "mfa_invalid"
    assert mfa.is_enabled(admin.user)
    assert disable(PASSWORD, codes[0]) == "ok"
    assert (TotpDevice.objects.count(), RecoveryCode.objects.count()) == (0, 0)
    assert log_in() == "ok"
    assert disable(PASSWORD, codes[1]) == "mfa_not_enrolled"


def test_an_administrator_takes_a_lost_factor_away_and_that_is_recorded(admin: Person) -> None:
    viewer = new_person(admin.user.organisation, "vera", "viewer")
    Phone(viewer).confirm()
    assert outcome(lambda: mfa.reset(user=viewer.user, by=viewer.principal)) == "permission_denied"
    root = new_person(admin.user.organisation, "root", "admin", is_superuser=True)
    Phone(root).confirm()
    stranger = new_organisation("Theirs")[1]
    for user, by in ((root.user, admin), (viewer.user, stranger), (admin.user, viewer)):
        assert outcome(lambda u=user, b=by: mfa.reset(user=u, by=b.principal)) == (
            "permission_denied"
        )
    assert (mfa.is_enabled(viewer.user), mfa.is_enabled(root.user)) == (True, True)
    mfa.reset(user=viewer.user, by=admin.principal)
    assert not mfa.is_enabled(viewer.user)
    record = AuditRecord.objects.get(action="mfa.reset")
    assert (record.actor, record.target) == (admin.principal.key, f"user:{viewer.user.pk}")


def test_new_recovery_codes_replace_the_old(admin: Person) -> None:
    old = Phone(admin).confirm()
    new = mfa.renew_codes(user=admin.user, code=old[0])
    assert log_in(old[1]) == "mfa_invalid"
    assert log_in(new[0]) == "ok"
