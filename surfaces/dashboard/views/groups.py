"""Groups of accounts, one group, and changing its settings and its accounts."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts.models import Account
from groups import services
from groups.models import Group
from reports.track_records import parts_of
from riskmgmt.models import GroupGuard
from surfaces.dashboard import figures, rows
from surfaces.dashboard.access import page
from surfaces.dashboard.group_form import (
    GroupForm,
    NewGroupForm,
    settings_of,
    usual_settings,
)
from surfaces.dashboard.lookups import group_of
from surfaces.policy import Policy, declares
from users.permissions import MANAGE, may


@page
def group_list(request: Any) -> HttpResponse:
    """All groups with their accounts counted and what these are worth together."""
    principal = request.principal
    return render(
        request,
        "dashboard/groups.html",
        {
            "groups": rows.prepared(principal, "groups", rows.groups(principal)),
            "may_manage": may(principal, MANAGE),
            "live": "groups",
            "section": "groups",
        },
    )


@page
def group_detail(request: Any, group_id: int) -> HttpResponse:
    """Settings, members with their state, the equity line, figures, the bots that reach it."""
    principal = request.principal
    group = group_of(principal, group_id)
    members = rows.accounts(principal).filter(groups=group).order_by("pk")
    accounts = rows.prepared(principal, "accounts", members)
    parts = parts_of(accounts)
    return render(
        request,
        "dashboard/group.html",
        {
            "group": group,
            "prepared_group": rows.prepared(principal, "groups", [group])[0],
            "accounts": accounts,
            "books": sorted({account.book for account in accounts}),
            "drawn": parts[0] if parts else None,
            "left_out": parts[1:],
            "bots": rows.prepared(principal, "bots", rows.bots(principal).filter(groups=group)),
            "switches": figures.engaged_switches(principal),
            "guards": GroupGuard.objects.visible_to(principal).current().filter(group_id=group.pk),
            "may_manage": may(principal, MANAGE),
            "live": "groups,accounts,bots",
            "section": "groups",
        },
    )


@page
@declares({"GET": Policy.MANAGE, "POST": Policy.MANAGE})
def new_group(request: Any) -> HttpResponse:
    """A new group with its first accounts."""
    principal = request.principal
    if request.method == "POST":
        form = NewGroupForm(principal, request.POST)
        group = form.is_valid() and form.serve(
            lambda: services.create_group(principal=principal, **form.cleaned_data)
        )
        if group:
            messages.success(request, f"The group {group.name} is made.")
            return redirect("dashboard:group", group_id=group.pk)
    else:
        form = NewGroupForm(principal, initial=usual_settings())
    return _form_page(request, form, "Make a group")


@page
@declares({"GET": Policy.MANAGE, "POST": Policy.MANAGE})
def edit_group(request: Any, group_id: int) -> HttpResponse:
    """Settings and accounts of a group; what is not ticked leaves it."""
    principal, group = request.principal, group_of(request.principal, group_id)
    if request.method == "POST":
        form = GroupForm(principal, request.POST)
        if form.is_valid() and form.serve(
            lambda: services.update_group(principal=principal, group=group, **form.cleaned_data)
        ):
            messages.success(request, f"The group {group.name} is changed.")
            return redirect("dashboard:group", group_id=group.pk)
    else:
        form = GroupForm(principal, initial=settings_of(group))
    return _form_page(request, form, f"Change {group.name}", group)


def _form_page(
    request: Any, form: GroupForm, title: str, group: Group | None = None
) -> HttpResponse:
    has_accounts = Account.objects.visible_to(request.principal).exists()
    context = {
        "form": form,
        "title": title,
        "group": group,
        "has_accounts": has_accounts,
        "section": "groups",
        "live": "",
    }
    status = 422 if form.errors else 200
    return render(request, "dashboard/group_form.html", context, status=status)
