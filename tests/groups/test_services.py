"""Groups: making, changing, deleting, and who is in them."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from common.errors import Conflict, Denied, Invalid, NotFound
from common.principal import TRADER
from events.models import AuditRecord, Event
from groups.models import Group
from groups.services import (
    account_ids_of,
    add_accounts,
    create_group,
    delete_group,
    remove_account,
    update_group,
)
from tests.users.people import Person, new_account, new_person


@pytest.fixture
def accounts(admin: Person) -> list[Account]:
    """Three accounts."""
    return [new_account(admin, name) for name in ("one", "two", "three")]


@pytest.fixture
def group(admin: Person, accounts: list[Account]) -> Group:
    """A group of the first two accounts."""
    return create_group(
        principal=admin.principal, name="Pair", account_ids=[row.pk for row in accounts[:2]]
    )


def test_a_group_has_the_specified_defaults(admin: Person) -> None:
    group = create_group(principal=admin.principal, name="Empty_1")
    assert (group.max_drawdown, group.target_monthly_roi, group.risk_limit) == (25, 5, 5)
    assert account_ids_of(group) == []


def test_settings_are_kept_exactly(admin: Person) -> None:
    group = create_group(principal=admin.principal, name="Exact", risk_limit=Decimal("0.123456789"))
    assert Group.objects.get(pk=group.pk).risk_limit == Decimal("0.123456789")


@pytest.mark.parametrize("name", ["ab", "x" * 33, "with space", "ümlaut", "nul\x00", "end\n"])
def test_a_name_is_three_to_thirty_two_plain_characters(admin: Person, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        create_group(principal=admin.principal, name=name)
    assert list(caught.value.fields) == ["name"]
    assert not Group.objects.exists()


def test_a_name_is_taken_in_any_case(admin: Person, stranger: Person, group: Group) -> None:
    with pytest.raises(Conflict) as caught:
        create_group(principal=admin.principal, name="PAIR")
    assert caught.value.code == "name_taken"
    assert create_group(principal=stranger.principal, name="PAIR").pk


@pytest.mark.parametrize("field", ["max_drawdown", "target_monthly_roi", "risk_limit"])
@pytest.mark.parametrize("value", [0, -1, Decimal("1000.1"), Decimal("NaN"), 2.5, True])
def test_a_setting_is_a_percentage(admin: Person, field: str, value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        create_group(principal=admin.principal, name="Group", **{field: value})
    assert list(caught.value.fields) == [field]
    assert not Group.objects.exists()


def test_an_account_of_another_organisation_is_unknown(admin: Person, stranger: Person) -> None:
    foreign = new_account(stranger, "theirs")
    texts = []
    for number in (foreign.pk, foreign.pk + 999):
        with pytest.raises(Invalid) as caught:
            create_group(principal=admin.principal, name="Group", account_ids=[number])
        texts.append(caught.value.fields["accounts"].replace(str(number), "N"))
    assert texts == ["unknown: N", "unknown: N"]
    assert not Group.objects.exists()


def test_an_update_replaces_the_membership_and_keeps_the_rest(
    admin: Person, accounts: list[Account], group: Group
) -> None:
    update_group(principal=admin.principal, group=group, account_ids=[accounts[2].pk])
    group.refresh_from_db()
    assert account_ids_of(group) == [accounts[2].pk]
    assert (group.name, group.risk_limit) == ("Pair", 5)


def test_an_update_that_changes_nothing_tells_nothing(admin: Person, group: Group) -> None:
    before = Event.objects.count(), AuditRecord.objects.count()
    update_group(principal=admin.principal, group=group, risk_limit=Decimal("5.0"))
    assert (Event.objects.count(), AuditRecord.objects.count()) == before


def test_a_refused_update_changes_nothing(
    admin: Person, accounts: list[Account], group: Group
) -> None:
    with pytest.raises(Invalid):
        update_group(
            principal=admin.principal,
            group=group,
            account_ids=[accounts[2].pk],
            risk_limit=Decimal(101),
        )
    group.refresh_from_db()
    assert account_ids_of(group) == [accounts[0].pk, accounts[1].pk]
    assert group.risk_limit == 5


def test_bulk_addition_goes_on_past_unknown_accounts(
    admin: Person, stranger: Person, accounts: list[Account], group: Group
) -> None:
    foreign = new_account(stranger, "theirs")
    third = accounts[2].pk
    result = add_accounts(
        principal=admin.principal,
        group=group,
        account_ids=[third, accounts[0].pk, foreign.pk, 999_999, third],
    )
    assert result["success"] == [third, accounts[0].pk]
    assert result["failed"] == [
        {"account_id": foreign.pk, "error": "account_not_found"},
        {"account_id": 999_999, "error": "account_not_found"},
    ]
    assert account_ids_of(group) == [row.pk for row in accounts]


def test_an_account_may_be_in_several_groups(
    admin: Person, accounts: list[Account], group: Group
) -> None:
    other = create_group(principal=admin.principal, name="Other", account_ids=[accounts[0].pk])
    assert account_ids_of(other) == [accounts[0].pk]
    assert accounts[0].pk in account_ids_of(group)


def test_removing_an_account_twice_says_it_is_no_member(
    admin: Person, accounts: list[Account], group: Group
) -> None:
    remove_account(principal=admin.principal, group=group, account=accounts[0])
    with pytest.raises(NotFound) as caught:
        remove_account(principal=admin.principal, group=group, account=accounts[0])
    assert caught.value.code == "not_a_member"
    assert account_ids_of(group) == [accounts[1].pk]


def test_deleting_a_group_keeps_its_accounts(
    admin: Person, accounts: list[Account], group: Group
) -> None:
    delete_group(principal=admin.principal, group=group)
    assert not Group.objects.exists()
    assert Account.objects.count() == 3


def test_traders_and_strangers_change_nothing(
    admin: Person, stranger: Person, accounts: list[Account], group: Group
) -> None:
    trader = new_person(admin.user.organisation, "tina", TRADER)
    for person, refusal in ((trader, Denied), (stranger, NotFound)):
        for change in (
            lambda who: update_group(principal=who, group=group, description="x"),
            lambda who: add_accounts(principal=who, group=group, account_ids=[accounts[2].pk]),
            lambda who: remove_account(principal=who, group=group, account=accounts[0]),
            lambda who: delete_group(principal=who, group=group),
        ):
            with pytest.raises(refusal):
                change(person.principal)
    group.refresh_from_db()
    assert (group.description, account_ids_of(group)) == ("", [accounts[0].pk, accounts[1].pk])
