"""Changing an account's credentials and status."""

from decimal import Decimal

import pytest

from accounts.models import Account
from accounts.services import KEY_REFUSED, set_status, update_credentials
from common.errors import Conflict, Denied, Invalid, NotFound
from common.principal import VIEWER
from events.models import AuditRecord, Event
from tests.users.people import Person, new_account, new_person

NEW = {"api_key": "a-new-key-0123456789", "api_secret": "a-new-secret-0123456789"}


@pytest.fixture
def account(admin: Person) -> Account:
    """One account at the rehearsal venue."""
    return new_account(admin, "one")


def suspend(account: Account, reason: str) -> None:
    Account.objects.filter(pk=account.pk).update(status="suspended", status_reason=reason)


def test_new_credentials_raise_the_version(admin: Person, account: Account) -> None:
    changed = update_credentials(principal=admin.principal, account=account, **NEW)
    assert changed.credentials_version == account.credentials_version + 1
    assert changed.open_secret("api_key") == NEW["api_key"]
    assert changed.key_hint == "6789"
    record = AuditRecord.objects.get(action="account.credentials_changed")
    assert NEW["api_key"] not in f"{record.before}{record.after}"


def test_new_credentials_leave_balances_alone(admin: Person, account: Account) -> None:
    Account.objects.filter(pk=account.pk).update(balance=Decimal("12.5"), equity=Decimal(13))
    changed = update_credentials(principal=admin.principal, account=account, **NEW)
    assert (changed.balance, changed.equity) == (Decimal("12.5"), Decimal(13))


def test_new_credentials_end_the_suspension_for_a_bad_key(admin: Person, account: Account) -> None:
    suspend(account, KEY_REFUSED)
    changed = update_credentials(principal=admin.principal, account=account, **NEW)
    assert (changed.status, changed.status_reason) == ("active", "")


def test_new_credentials_end_no_other_suspension(admin: Person, account: Account) -> None:
    suspend(account, "address_changed")
    changed = update_credentials(principal=admin.principal, account=account, **NEW)
    assert (changed.status, changed.status_reason) == ("suspended", "address_changed")


def test_the_key_of_another_account_is_refused(admin: Person, account: Account) -> None:
    new_account(admin, "two")
    before = Account.objects.filter(pk=account.pk).values().get()
    with pytest.raises(Conflict) as caught:
        update_credentials(
            principal=admin.principal,
            account=account,
            api_key="key-of-two-0123456789",
            api_secret="x",
        )
    assert caught.value.code == "duplicate_key"
    assert Account.objects.filter(pk=account.pk).values().get() == before


def test_its_own_key_with_a_new_secret_is_taken(admin: Person, account: Account) -> None:
    changed = update_credentials(
        principal=admin.principal,
        account=account,
        api_key="key-of-one-0123456789",
        api_secret="another-secret",
    )
    assert changed.open_secret("api_secret") == "another-secret"


def test_a_stranger_does_not_find_the_account(
    admin: Person, stranger: Person, account: Account
) -> None:
    before = Account.objects.filter(pk=account.pk).values().get()
    with pytest.raises(NotFound) as caught:
        update_credentials(principal=stranger.principal, account=account, **NEW)
    assert caught.value.code == "account_not_found"
    with pytest.raises(NotFound):
        set_status(principal=stranger.principal, account=account, status="disabled")
    assert Account.objects.filter(pk=account.pk).values().get() == before


def test_a_viewer_changes_nothing(admin: Person, account: Account) -> None:
    viewer = new_person(admin.user.organisation, "vera", VIEWER)
    for change in (
        lambda: update_credentials(principal=viewer.principal, account=account, **NEW),
        lambda: set_status(principal=viewer.principal, account=account, status="disabled"),
    ):
        with pytest.raises(Denied):
            change()
    account.refresh_from_db()
    assert (account.status, account.credentials_version) == ("active", 1)


def test_a_status_change_is_told_and_audited_once(admin: Person, account: Account) -> None:
    for _ in range(2):
        set_status(principal=admin.principal, account=account, status="disabled", reason="holiday")
    account.refresh_from_db()
    assert (account.status, account.status_reason) == ("disabled", "holiday")
    assert AuditRecord.objects.filter(action="account.status_changed").count() == 1
    assert Event.objects.filter(kind="account.updated").count() == 1


def test_activating_confirms_the_address_the_venue_has_now(admin: Person, account: Account) -> None:
    suspend(account, "address_changed")
    Account.objects.filter(pk=account.pk).update(pinned_address="http://127.0.0.1:1")
    changed = set_status(principal=admin.principal, account=account, status="active")
    assert (changed.status, changed.status_reason) == ("active", "")
    assert changed.pinned_address == "http://127.0.0.1:9001"
    record = AuditRecord.objects.get(action="account.status_changed")
    assert record.before is not None
    assert record.before["address"] == "http://127.0.0.1:1"


def test_an_unknown_status_is_refused(admin: Person, account: Account) -> None:
    with pytest.raises(Invalid):
        set_status(principal=admin.principal, account=account, status="asleep")
    account.refresh_from_db()
    assert account.status == "active"
