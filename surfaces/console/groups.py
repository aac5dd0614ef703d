"""Groups of accounts."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from groups.models import Group, Membership

from .base import EditedInline, HistoryAdmin, ReadOnlyAdmin
from .one_organisation import OneOrganisationFormSet


class MembershipInline(EditedInline):
    """The group's accounts."""

    model = Membership
    formset = OneOrganisationFormSet

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Offers the accounts of the person's organisation."""
        if db_field.name == "account":
            owner = self.admin_site._registry[db_field.remote_field.model]
            kwargs["queryset"] = owner.get_queryset(request).filter(deleted_at=None)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Group)
class GroupAdmin(HistoryAdmin):
    """Groups with their risk settings in percent."""

    list_display = ("name", "risk_limit", "max_drawdown", "target_monthly_roi", "organisation")
    list_select_related = ("organisation",)
    search_fields = ("name",)
    inlines = (MembershipInline,)
    fields = (
        "organisation",
        "name",
        "description",
        "risk_limit",
        "max_drawdown",
        "target_monthly_roi",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A group does not change its organisation."""
        return ("organisation",) if obj else ()


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    """Which account is in which group."""

    organisation_path = "group__organisation"
    list_display = ("group", "account", "joined_at")
    list_select_related = ("group", "account")
    search_fields = ("group__name", "account__name")
    ordering = ("-id",)
