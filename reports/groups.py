"""What the surfaces show of a group beyond its own row."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from common.money import EXACT, ZERO
from common.principal import Principal
from groups.models import Group
from reports.accounts import AccountDetail, details_of
from riskmgmt.models import GroupGuard


@dataclass(frozen=True, slots=True)
class GroupDetail:
    """A group with the details of its accounts, and its guards in force, that the reader may
    see.
    """

    group: Group
    members: Sequence[AccountDetail]
    guards: Sequence[GroupGuard] = ()

    @property
    def balance(self) -> Decimal:
        """Sum of the members' quote balances."""
        return _sum([member.account.balance for member in self.members])

    @property
    def equity(self) -> Decimal:
        """Sum of the members' equities."""
        return _sum([member.account.equity for member in self.members])

    @property
    def net_result(self) -> Decimal:
        """Sum of the members' realised results after fees."""
        return _sum([member.results.net for member in self.members])

    @property
    def connected(self) -> int:
        """How many members' venues were read without a fault within the last minute."""
        return sum(member.is_connected for member in self.members)


def group_detail(principal: Principal, group: Group) -> GroupDetail:
    """The group with its visible, not deleted accounts."""
    accounts = list(group.accounts.filter(deleted_at=None).order_by("pk"))
    guards = GroupGuard.objects.visible_to(principal).current().filter(group_id=group.pk)
    return GroupDetail(
        group=group, members=details_of(principal, accounts), guards=list(guards.order_by("pk"))
    )


def _sum(values: Sequence[Decimal]) -> Decimal:
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total
