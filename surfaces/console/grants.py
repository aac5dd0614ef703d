"""Rights of single people on single accounts: set and taken through the service."""

from typing import Any

from django.contrib import admin
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from accounts.grants import remove_grant, rights_of, set_grant
from accounts.models import Account, AccountGrant
from users.models import User

from .base import ConsoleAdmin, EditedInline, acting_principal

RIGHTS = ("can_read", "can_trade", "can_manage_risk", "can_trade_live")


class GrantFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """Has a name of its own: the model has no reverse accessor to take one from."""

    @classmethod
    def get_default_prefix(cls) -> str:
        """The beginning of the inputs' names."""
        return "grants"


class GrantInline(EditedInline):
    """A person's rights on single accounts."""

    model = AccountGrant
    formset = GrantFormSet
    fields = ("account", *RIGHTS)
    verbose_name_plural = "Rights on single accounts, on top of the role"

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Offers the accounts of the person's own organisation."""
        person = User.objects.filter(pk=request.resolver_match.kwargs.get("object_id")).first()
        if db_field.name == "account" and person is not None:
            kwargs["queryset"] = Account.objects.filter(
                organisation_id=person.organisation_id, deleted_at=None
            ).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def save_grants(request: HttpRequest, formset: Any) -> None:
    """Hand the rows of a person's inline to the service."""
    formset.save(commit=False)
    by = acting_principal(request)
    for gone in formset.deleted_objects:
        remove_grant(grant=gone, by=by)
    for grant, columns in formset.changed_objects:
        if "account" in columns:
            remove_grant(grant=AccountGrant.objects.get(pk=grant.pk), by=by)
    for grant in [*formset.new_objects, *(grant for grant, _ in formset.changed_objects)]:
        set_grant(user=grant.user, account=grant.account, rights=rights_of(grant), by=by)


@admin.register(AccountGrant)
class AccountGrantAdmin(ConsoleAdmin):
    """Every grant in one list; they are set on the page of the person, or here."""

    organisation_path = "account__organisation"
    list_display = ("user", "account", *RIGHTS)
    list_select_related = ("user", "account")
    search_fields = ("user__username", "account__name")
    ordering = ("-id",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A grant does not change its person or account."""
        return ("user", "account") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators take rights away as they give them."""
        return self.has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Through the service."""
        by = acting_principal(request)
        grant = set_grant(user=obj.user, account=obj.account, rights=rights_of(obj), by=by)
        obj.pk = grant.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Through the service."""
        remove_grant(grant=obj, by=acting_principal(request))
