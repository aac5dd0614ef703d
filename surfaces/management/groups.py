"""``/api/v1/groups/*``."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from common.clock import iso, now
from common.errors import Invalid
from common.principal import Principal
from groups.models import Group
from groups.services import add_accounts, create_group, remove_account, update_group
from reports.groups import GroupDetail, group_detail
from riskmgmt.group_guards import reset_latched
from riskmgmt.models import GroupGuard
from surfaces.fields import StrictInput
from surfaces.lookups import find, lookup_of, page_of
from surfaces.management.dialect import ManagementView, envelope
from surfaces.management.serializers import (
    AccountIdsInput,
    CreateGroupInput,
    GroupSettingsInput,
    ResetGuardInput,
)
from surfaces.policy import Policy
from surfaces.rendering import number
from trading.services.retire import delete_group


class GroupView(ManagementView):
    """A view about the group its path names."""

    def group(self, group_id: str) -> Group:
        """The group; raises NotFound, alike for missing and foreign ones."""
        return find(Group.objects.visible_to(self.principal), group_id, what="group")

    def account(self, account_id: str) -> Account:
        """An account of the path; raises NotFound."""
        return find(Account.objects.visible_to(self.principal), account_id, what="account")

    def shown(self, group: Group) -> dict[str, Any]:
        """The group as answers show it after a change."""
        return _detail(group_detail(self.principal, group))


class GroupsView(GroupView):
    """List and create groups."""

    policy = {"GET": Policy.AUTHENTICATED, "POST": Policy.MANAGE}
    inputs = {"POST": CreateGroupInput}

    def get(self, request: Request) -> Response:
        """A page of groups by number; ``offset`` and ``limit`` (at most 100)."""
        offset, limit = page_of(request, start="offset")
        visible = Group.objects.visible_to(self.principal)
        accounts = Account.objects.visible_to(self.principal)
        page = visible.prefetch_related(Prefetch("accounts", queryset=accounts))
        data = {
            "groups": [_listed(group) for group in page[offset : offset + limit]],
            "total": visible.count(),
            "offset": offset,
            "limit": limit,
        }
        return Response(envelope("Groups retrieved successfully", data))

    def post(self, request: Request) -> Response:
        """A new group."""
        given = self.input()
        given["account_ids"] = account_numbers(self.principal, given.pop("accounts", ()))
        group = create_group(principal=self.principal, **given)
        return Response(envelope("Group created successfully", {"group": self.shown(group)}))


class GroupDetailView(GroupView):
    """Read, change or delete one group."""

    policy = {
        "GET": Policy.AUTHENTICATED,
        "PATCH": Policy.MANAGE,
        "DELETE": Policy.MANAGE,
    }
    inputs = {"PATCH": GroupSettingsInput}

    def get(self, request: Request, group_id: str) -> Response:
        """The group with its accounts and their state."""
        group = self.group(group_id)
        return Response(envelope("Group retrieved successfully", {"group": self.shown(group)}))

    def patch(self, request: Request, group_id: str) -> Response:
        """Change the given settings; ``accounts`` replaces the membership."""
        given = self.input()
        group = self.group(group_id)
        if "accounts" in given:
            given["account_ids"] = account_numbers(self.principal, given.pop("accounts"))
        group = update_group(principal=self.principal, group=group, **given)
        return Response(envelope("Group updated successfully", {"group": self.shown(group)}))

    def delete(self, request: Request, group_id: str) -> Response:
        """Delete the group, never its accounts; 409 while it is busy."""
        group = self.group(group_id)
        number_text = str(group.pk)
        delete_group(principal=self.principal, group=group)
        return Response(envelope("Group deleted successfully", {"group_id": number_text}))


class GroupAccountsView(GroupView):
    """Add several accounts."""

    policy = Policy.MANAGE
    inputs = {"POST": AccountIdsInput}

    def post(self, request: Request, group_id: str) -> Response:
        """Each account for itself: what worked and what did not, with the reason."""
        given = self.input()["account_ids"]
        group = self.group(group_id)
        numbers = _numbers_by_text(self.principal, given)
        known = [key for key in numbers.values() if key is not None]
        added = add_accounts(principal=self.principal, group=group, account_ids=known)
        results = {
            "success": [str(key) for key in added["success"]],
            "failed": [
                {"account_id": text, "error": "account_not_found"}
                for text, key in numbers.items()
                if key is None or key not in added["success"]
            ],
        }
        data = {"results": results, "group": self.shown(group)}
        return Response(envelope("Bulk account addition completed", data))


class GroupAccountView(GroupView):
    """Add or remove one account."""

    policy = {"POST": Policy.MANAGE, "DELETE": Policy.MANAGE}
    inputs = {"POST": StrictInput}

    def post(self, request: Request, group_id: str, account_id: str) -> Response:
        """Add; a member stays one."""
        self.input()
        group, account = self.group(group_id), self.account(account_id)
        add_accounts(principal=self.principal, group=group, account_ids=[account.pk])
        return Response(envelope("Account added to group", {"group": self.shown(group)}))

    def delete(self, request: Request, group_id: str, account_id: str) -> Response:
        """Remove; 404 when it is no member."""
        group, account = self.group(group_id), self.account(account_id)
        remove_account(principal=self.principal, group=group, account=account)
        return Response(envelope("Account removed from group", {"group": self.shown(group)}))


class ResetGuardView(GroupView):
    """Accept entries of a group again whose guard has latched."""

    policy = Policy.RISK
    inputs = {"POST": ResetGuardInput}

    def post(self, request: Request, group_id: str) -> Response:
        """The next reading starts a new line with a new peak. Of several latched guards (one per
        book and currency) ``guard_id`` names one, else 409.
        """
        group = self.group(group_id)
        guard = reset_latched(principal=self.principal, group=group, **self.input())
        data = {
            "guard": {
                **_guard(guard),
                "reset_at": iso(guard.reset_at) if guard.reset_at else None,
                "reset_by": guard.reset_by,
                "reason": guard.reason,
            },
            "group": self.shown(group),
        }
        return Response(envelope("Group guard reset", data))


def account_numbers(
    principal: Principal, texts: Iterable[str], *, field: str = "accounts"
) -> list[int]:
    """The numbers of accounts named by number or uuid; raises Invalid for an unknown one."""
    numbers = _numbers_by_text(principal, texts)
    unknown = [text for text, key in numbers.items() if key is None]
    if unknown:
        raise Invalid(
            "There is no such account.",
            code="account_not_found",
            fields={field: f"unknown: {', '.join(unknown[:20])}"},
        )
    return [key for key in numbers.values() if key is not None]


def _numbers_by_text(principal: Principal, texts: Iterable[str]) -> dict[str, int | None]:
    wanted = list(dict.fromkeys(texts))
    visible = Account.objects.visible_to(principal)
    keys = [lookup_of(text, Account) or {} for text in wanted]
    by_uuid = dict(
        visible.filter(uuid__in=[key["uuid"] for key in keys if "uuid" in key]).values_list(
            "uuid", "pk"
        )
    )
    by_number = set(
        visible.filter(pk__in=[key["pk"] for key in keys if "pk" in key]).values_list(
            "pk", flat=True
        )
    )
    return {
        text: by_uuid.get(key["uuid"])
        if "uuid" in key
        else (key["pk"] if key.get("pk") in by_number else None)
        for text, key in zip(wanted, keys, strict=True)
    }


def _listed(group: Group) -> dict[str, Any]:
    return {
        "id": str(group.pk),
        "name": group.name,
        "description": group.description,
        "accounts": [str(account.pk) for account in group.accounts.all()],
        **_settings(group),
    }


def _settings(group: Group) -> dict[str, Any]:
    return {
        "max_drawdown": number(group.max_drawdown),
        "target_monthly_roi": number(group.target_monthly_roi),
        "risk_limit": number(group.risk_limit),
    }


def _detail(detail: GroupDetail) -> dict[str, Any]:
    group = detail.group
    return {
        "id": str(group.pk),
        "name": group.name,
        "description": group.description,
        "accounts": [str(member.account.pk) for member in detail.members],
        **_settings(group),
        "performance": {
            "balance": number(detail.balance),
            "equity": number(detail.equity),
            "net_pnl": number(detail.net_result),
        },
        "websocket_status": {
            "active_connections": detail.connected,
            "total_accounts": len(detail.members),
            "timestamp": iso(now()),
        },
        "guards": [_guard(guard) for guard in detail.guards],
    }


def _guard(guard: GroupGuard) -> dict[str, Any]:
    return {
        "id": str(guard.pk),
        "book": guard.book,
        "currency": guard.currency,
        "drawdown": number(guard.drawdown),
        "peak_at": iso(guard.peak_at),
        "latched_at": iso(guard.latched_at) if guard.latched_at else None,
        "max_drawdown": None if guard.max_drawdown is None else number(guard.max_drawdown),
        "judged_at": iso(guard.judged_at),
    }
