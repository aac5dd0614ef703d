"""What every console page has in common: look, scope of an organisation, rights.

This is the only module that names the admin theme, so that it can be taken out here.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from import_export.admin import ExportMixin
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin as ThemedAdmin
from unfold.admin import TabularInline as ThemedInline
from unfold.contrib.import_export.forms import ExportForm
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.principals import principal_of_user
from common.errors import DomainError
from common.money import MoneyField
from common.principal import LIVE, Principal
from events.log import audit
from surfaces.authentication import request_address
from users.permissions import EXPORT_DATA, MANAGE, RISK, TRADE, may

from .csv_text import TextOnlyCSV
from .one_organisation import OneOrganisationForm
from .trail import record_formset, record_removed, record_saved
from .writing import shown_json, shown_money

SECRET_COLUMNS = frozenset({"password", "key_fingerprint", "successor_jti", "body_sha256"})
SECRET_ENDINGS = ("_sealed", "_hash", "_sha256", "_token")


def detail_act(title: str, *, address: str, permission: str) -> Any:
    """Decorator: a button on top of a row's page that leads to the method's own page."""
    return action(description=title, url_path=address, permissions=[permission])


def is_secret(field: Any) -> bool:
    """Whether a column holds a credential or its derivative; such columns are never shown."""
    return names_secret(field.name)


def names_secret(name: str) -> bool:
    """Whether a column of this name is a secret one, see :func:`is_secret`."""
    return name in SECRET_COLUMNS or name.endswith(SECRET_ENDINGS)


def acting_principal(request: Any, organisation_id: int | None = None) -> Principal:
    """The signed-in person; a superuser acts within the organisation of what it touches."""
    principal: Principal | None = getattr(request, "console_principal", None)
    if principal is None:
        # A page asks for rights some twenty times; the role is read once per request.
        principal = principal_of_user(request.user, address=request_address(request))
        request.console_principal = principal
    if principal.is_superuser and organisation_id is not None:
        return replace(principal, organisation_id=organisation_id)
    return principal


def _writer(field: Any, write: Callable[[Any], str]) -> Callable[..., str]:
    def display(self: Any, row: models.Model) -> str:
        return write(getattr(row, field.name))

    display.short_description = field.verbose_name  # type: ignore[attr-defined]
    display.admin_order_field = None if isinstance(field, MoneyField) else field.name  # type: ignore[attr-defined]
    return display


class ConsoleAdmin(ThemedAdmin):
    """Rows of the own organisation only, fifty to a page, figures exact, no deleting.

    ``organisation_path`` leads from the model to its organisation; None marks what belongs to the
    whole platform and is for superusers. Figures and JSON columns are written by attributes
    ``<name>_shown``.
    """

    organisation_path: ClassVar[str | None] = "organisation"
    form = OneOrganisationForm
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = False
    formfield_overrides: ClassVar[dict[Any, Any]] = {
        MoneyField: {"widget": UnfoldAdminTextInputWidget}
    }

    def __init__(self, model: type[models.Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self.written: set[str] = set()
        for field in model._meta.concrete_fields:
            write = shown_money if isinstance(field, MoneyField) else None
            write = shown_json if isinstance(field, models.JSONField) else write
            if write:
                setattr(type(self), f"{field.name}_shown", _writer(field, write))
                self.written.add(field.name)

    def as_shown(self, names: Any) -> list[Any]:
        """The same columns, figures and JSON replaced by their written form."""
        return [f"{name}_shown" if name in self.written else name for name in names]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Rows of the person's organisation; all of them for a superuser."""
        rows: models.QuerySet[Any] = super().get_queryset(request)
        if request.user.is_superuser:  # type: ignore[union-attr]
            return rows
        if self.organisation_path is None:
            return rows.none()
        return rows.filter(**{f"{self.organisation_path}_id": request.user.organisation_id})  # type: ignore[union-attr]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Columns with figures written out."""
        return self.as_shown(super().get_list_display(request))

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """Never by a secret column, over any relation: how many rows are left tells its text."""
        if any(names_secret(part) for part in lookup.split(LOOKUP_SEP)):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """A superuser may also choose the organisation."""
        filters = list(super().get_list_filter(request))
        if request.user.is_superuser and self.organisation_path == "organisation":  # type: ignore[union-attr]
            filters.append("organisation")
        return filters

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Offers only rows that the person may see."""
        kwargs.setdefault("queryset", self._choices(db_field, request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Offers only rows that the person may see."""
        kwargs.setdefault("queryset", self._choices(db_field, request))
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _choices(self, db_field: Any, request: Any) -> models.QuerySet[Any]:
        related = db_field.remote_field.model
        owner = self.admin_site._registry.get(related)
        return owner.get_queryset(request) if owner else related._default_manager.all()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff sees its organisation; the platform's own rows are for superusers."""
        return _is_staff(request) and (
            self.organisation_path is not None or bool(request.user.is_superuser)  # type: ignore[union-attr]
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Every staff user sees the sections that hold something for it."""
        return _is_staff(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators of the organisation."""
        return self.has_view_permission(request) and self.has_manage_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators of the organisation."""
        return self.has_view_permission(request) and self.has_manage_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted from the console unless a page says so."""
        return False

    def has_manage_permission(self, request: HttpRequest) -> bool:
        """Whether the role may manage; actions ask by this name."""
        return _is_staff(request) and may(acting_principal(request), MANAGE)

    def has_trade_permission(self, request: HttpRequest) -> bool:
        """Whether the role may trade; actions ask by this name."""
        return _is_staff(request) and may(acting_principal(request), TRADE)

    def has_live_permission(self, request: HttpRequest) -> bool:
        """Whether the person may trade live on some account; services ask for each."""
        principal = acting_principal(request)
        is_live = principal.is_admin or any(LIVE in held for held in principal.grants.values())
        return _is_staff(request) and is_live

    def has_risk_permission(self, request: HttpRequest) -> bool:
        """Whether the role may throw and release switches; actions ask by this name."""
        return _is_staff(request) and may(acting_principal(request), RISK)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form; what a service refuses is told above it, and nothing of the save stays."""
        try:
            answer: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except DomainError as error:
            self.message_user(request, f"{error.message} ({error.code})", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return answer

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save and record which columns changed from what to what."""
        super().save_model(request, obj, form, change)
        record_saved(self.acting_on(request, obj), obj, form, change=change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save the rows below and record each that changed."""
        super().save_formset(request, form, formset, change)
        record_formset(self.acting_on(request, form.instance), formset)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Record what goes, then let it go."""
        record_removed(self.acting_on(request, obj), obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """As one by one."""
        for row in queryset:
            self.delete_model(request, row)

    def acting_on(self, request: HttpRequest, row: Any) -> Principal:
        """The person, within the organisation of the row where the row has one."""
        return acting_principal(request, getattr(row, "organisation_id", None))


def _is_staff(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_staff", False))


class ReadOnlyAdmin(ConsoleAdmin):
    """Rows that are facts: shown but for secret columns, never added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Every column that is no secret, in the model's order."""
        return self.as_shown(
            field.name for field in self.opts.concrete_fields if not is_secret(field)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """All of them."""
        return self.get_fields(request, obj)


class HistoryAdmin(ConsoleAdmin, SimpleHistoryAdmin):
    """Configuration with the history of its changes: to look at, not to go back to.

    Going back would bypass the services, and the excluded columns (credentials among them) with it.
    """

    object_history_template = "simple_history/object_history.html"

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        """Always."""
        return True

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The changes of a row that the person may see; a deleted or foreign one is not found."""
        self._demand_visible(request, object_id)
        return super().history_view(request, object_id, extra_context)

    def history_form_view(
        self,
        request: HttpRequest,
        object_id: str,
        version_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One earlier state, to look at."""
        if request.method != "GET":
            raise PermissionDenied
        self._demand_visible(request, object_id)
        return super().history_form_view(request, object_id, version_id, extra_context)

    def _demand_visible(self, request: HttpRequest, object_id: str) -> None:
        if self.get_object(request, object_id) is None:
            raise Http404


class ExportAdmin(ExportMixin, ReadOnlyAdmin):
    """Facts that may be taken out as CSV, as filtered; never in. Each export is audited."""

    export_form_class = ExportForm
    most_exported = 100_000

    def get_export_formats(self) -> list[Any]:
        """CSV alone."""
        return [TextOnlyCSV]

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Roles that may export."""
        return _is_staff(request) and may(acting_principal(request), EXPORT_DATA)

    def get_export_data(
        self, file_format: Any, request: HttpRequest, queryset: Any, **kwargs: Any
    ) -> Any:
        """The file, and a record of who took it; ValueError, shown on the form, for too many."""
        count = queryset[: self.most_exported + 1].count()
        if count > self.most_exported:
            raise ValueError(f"More than {self.most_exported:,} rows: narrow the filter.")
        # A file is read elsewhere and by others: its times are UTC, whoever takes it.
        with timezone.override(UTC):
            data = super().get_export_data(file_format, request, queryset, **kwargs)
        told = {"rows": count, "query": request.GET.urlencode()[:500]}
        name = self.opts.model_name
        audit(acting_principal(request), f"console.{name}.exported", target=name, after=told)
        return data


class ReadOnlyInline(ThemedInline):
    """Rows of a related model below their owner, to look at."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees the owner."""
        return _is_staff(request)


class EditedInline(ThemedInline):
    """Rows of a related model below their owner, for whoever may change the owner."""

    extra = 0

    def _may_change(self, request: HttpRequest, obj: Any = None) -> bool:
        owner = self.admin_site._registry[self.parent_model]
        return isinstance(owner, ConsoleAdmin) and owner.has_change_permission(request, obj)

    has_add_permission = has_change_permission = has_delete_permission = _may_change
    has_view_permission = _may_change
