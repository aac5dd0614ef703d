"""Making groups, changing their settings and their accounts."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.principals import demand_organisation_wide
from common.errors import Conflict, Invalid, NotFound
from common.money import InvalidMoney, money, plain
from common.principal import Principal
from common.readings import Reading, as_text
from events.log import audit, publish

from .models import Group, Membership

# The risk limit of each group of each of the list ``accounts``.
RISK_LIMITS = Reading(
    "group_limits",
    f"m.account_id, {as_text('g.risk_limit')}",
    f"FROM {Membership._meta.db_table} AS m JOIN {Group._meta.db_table} AS g ON g.id = m.group_id"
    " WHERE m.account_id {in_accounts}",
)
NAME_PATTERN = re.compile(r"[A-Za-z0-9_-]{3,32}\Z")
MAX_DESCRIPTION_LENGTH = 2000
SETTINGS = ("max_drawdown", "target_monthly_roi", "risk_limit")
_MAX_PERCENT = {
    "max_drawdown": Decimal(100),
    "target_monthly_roi": Decimal(1000),
    "risk_limit": Decimal(100),
}


@transaction.atomic
def create_group(
    *,
    principal: Principal,
    name: str,
    description: str = "",
    account_ids: Iterable[int] = (),
    max_drawdown: Decimal = Decimal(25),
    target_monthly_roi: Decimal = Decimal(5),
    risk_limit: Decimal = Decimal(5),
) -> Group:
    """A new group of visible accounts; settings in percent.

    Raises Denied, Invalid (also for an account that does not exist), Conflict ``name_taken``.
    """
    demand_organisation_wide(principal)
    if not NAME_PATTERN.match(name):
        raise Invalid("Not a group name.", fields={"name": "3 to 32 letters, digits, _ or -"})
    accounts = _accounts(principal, account_ids)
    group = Group(
        organisation_id=principal.organisation_id, name=name, description=_description(description)
    )
    _apply_settings(
        group,
        {
            "max_drawdown": max_drawdown,
            "target_monthly_roi": target_monthly_roi,
            "risk_limit": risk_limit,
        },
    )
    _save_named(group)
    _put_members(group, accounts)
    audit(principal, "group.created", target=f"group:{group.pk}", after=facts(group))
    _tell(group, "group.created")
    return group


@transaction.atomic
def update_group(
    *,
    principal: Principal,
    group: Group,
    description: str | None = None,
    account_ids: Iterable[int] | None = None,
    max_drawdown: Decimal | None = None,
    target_monthly_roi: Decimal | None = None,
    risk_limit: Decimal | None = None,
) -> Group:
    """Change what is given; ``account_ids`` replaces the membership.

    Raises Denied, NotFound, Invalid.
    """
    demand_organisation_wide(principal)
    row = _locked(principal, group)
    before = facts(row)
    accounts = None if account_ids is None else _accounts(principal, account_ids)
    if description is not None:
        row.description = _description(description)
    given = {
        "max_drawdown": max_drawdown,
        "target_monthly_roi": target_monthly_roi,
        "risk_limit": risk_limit,
    }
    _apply_settings(row, {field: value for field, value in given.items() if value is not None})
    row.save()
    if accounts is not None:
        row.memberships.exclude(account__in=accounts).delete()
        _put_members(row, accounts)
    after = facts(row)
    if after != before:
        audit(principal, "group.updated", target=f"group:{row.pk}", before=before, after=after)
        _tell(row, "group.updated")
    return row


@transaction.atomic
def add_accounts(
    *, principal: Principal, group: Group, account_ids: Iterable[int]
) -> dict[str, list[Any]]:
    """Add accounts one by one: ``{"success": [ids], "failed": [{"account_id", "error"}]}``.

    A member already counts as success. Raises Denied and NotFound (the group).
    """
    demand_organisation_wide(principal)
    row = _locked(principal, group)
    wanted = list(dict.fromkeys(account_ids))
    found = {
        account.pk: account
        for account in Account.objects.visible_to(principal).filter(pk__in=wanted)
    }
    before = facts(row)
    _put_members(row, found.values())
    after = facts(row)
    if after != before:
        audit(principal, "group.updated", target=f"group:{row.pk}", before=before, after=after)
        _tell(row, "group.updated")
    return {
        "success": [number for number in wanted if number in found],
        "failed": [
            {"account_id": number, "error": "account_not_found"}
            for number in wanted
            if number not in found
        ],
    }


@transaction.atomic
def remove_account(*, principal: Principal, group: Group, account: Account) -> Group:
    """Take an account out of the group. Raises Denied, NotFound (group, or ``not_a_member``)."""
    demand_organisation_wide(principal)
    row = _locked(principal, group)
    before = facts(row)
    removed, _ = row.memberships.filter(account_id=account.pk).delete()
    if not removed:
        raise NotFound("The account is not in this group.", code="not_a_member")
    audit(principal, "group.updated", target=f"group:{row.pk}", before=before, after=facts(row))
    _tell(row, "group.updated")
    return row


@transaction.atomic
def delete_group(*, principal: Principal, group: Group) -> None:
    """Delete the group, never its accounts. Raises Denied and NotFound.

    Whether the group is busy is for the ledger to say (``trading``), which stands above this app.
    """
    demand_organisation_wide(principal)
    row = _locked(principal, group)
    number, before = row.pk, facts(row)
    row.delete()
    audit(principal, "group.deleted", target=f"group:{number}", before=before)
    publish(
        "group.deleted",
        organisation_id=principal.organisation_id,
        topics=(f"group:{number}",),
        payload={"group_id": number, "name": before["name"]},
    )


def account_ids_of(group: Group) -> list[int]:
    """The numbers of the group's accounts that are not deleted, in order."""
    return list(
        group.memberships.filter(account__deleted_at=None)
        .order_by("account_id")
        .values_list("account_id", flat=True)
    )


def facts(group: Group) -> dict[str, Any]:
    """The group as audit records tell it; percentages as text."""
    return {
        "name": group.name,
        "description": group.description,
        "accounts": account_ids_of(group),
        **{field: plain(getattr(group, field)) for field in SETTINGS},
    }


def _accounts(principal: Principal, account_ids: Iterable[int]) -> list[Account]:
    wanted = set(account_ids)
    found = list(Account.objects.visible_to(principal).filter(pk__in=wanted))
    missing = sorted(wanted - {account.pk for account in found})
    if missing:
        raise Invalid(
            "There is no such account.",
            code="account_not_found",
            fields={"accounts": f"unknown: {', '.join(str(number) for number in missing[:20])}"},
        )
    return found


def _apply_settings(group: Group, values: dict[str, Decimal]) -> None:
    faults = {}
    for field, value in values.items():
        try:
            number = money(value)
        except InvalidMoney as error:
            faults[field] = str(error)
            continue
        if not 0 < number <= _MAX_PERCENT[field]:
            faults[field] = f"must be above 0 and at most {_MAX_PERCENT[field]} percent"
        setattr(group, field, number)
    if faults:
        raise Invalid("Not a percentage.", fields=faults)


def _description(text: str) -> str:
    if len(text) > MAX_DESCRIPTION_LENGTH or not all(
        character.isprintable() or character in "\r\n\t" for character in text
    ):
        raise Invalid(
            "Not a description.",
            fields={"description": f"up to {MAX_DESCRIPTION_LENGTH} printable characters"},
        )
    return text


def _save_named(group: Group) -> None:
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError as error:
        raise Conflict(
            "A group of this name exists.", code="name_taken", fields={"name": "is taken"}
        ) from error


def _put_members(group: Group, accounts: Iterable[Account]) -> None:
    Membership.objects.bulk_create(
        [Membership(group=group, account=account) for account in accounts], ignore_conflicts=True
    )


def _locked(principal: Principal, group: Group) -> Group:
    visible = Group.objects.visible_to(principal).filter(pk=group.pk)
    row = Group.objects.select_for_update(no_key=True).filter(pk__in=visible).first()
    if row is None:
        raise NotFound("There is no such group.", code="group_not_found")
    return row


def _tell(group: Group, kind: str) -> None:
    publish(
        kind,
        organisation_id=group.organisation_id,
        topics=(f"group:{group.pk}",),
        payload={"group_id": group.pk, "name": group.name, "accounts": account_ids_of(group)},
    )
