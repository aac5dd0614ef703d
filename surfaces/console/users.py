"""Organisations and their people."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group as DjangoGroup
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.timezone import localtime

from accounts.models import AccountGrant
from common.errors import Denied
from common.principal import Principal
from users import mfa
from users.models import ApiKey, AuthSession, Organisation, User
from users.passwords import demand_strong
from users.services import (
    change_user,
    create_organisation,
    create_user,
    issue_reset,
    revoke_sessions,
)

from .actions import Order, confirmed_action
from .base import ConsoleAdmin, ReadOnlyInline, acting_principal, detail_act
from .forms import service_page
from .grants import GrantInline, save_grants
from .once import shown_once
from .people_forms import ConfirmForm, OrganisationForm, UserForm

admin.site.unregister(DjangoGroup)


@admin.register(Organisation)
class OrganisationAdmin(ConsoleAdmin):
    """Tenants; each sees itself, a superuser all."""

    organisation_path = "self"
    list_display = ("name", "base_currency", "created_at")
    search_fields = ("name",)
    fields = ("name", "base_currency", "uuid", "created_at")
    readonly_fields = ("uuid", "created_at")

    def get_queryset(self, request: HttpRequest) -> Any:
        """The own organisation; all of them for a superuser."""
        rows = Organisation.objects.order_by("name")
        if request.user.is_superuser:  # type: ignore[union-attr]
            return rows
        return rows.filter(pk=request.user.organisation_id)  # type: ignore[union-attr]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers."""
        return bool(request.user.is_superuser)  # type: ignore[union-attr]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers: the name is what confirmations are typed with."""
        return bool(request.user.is_superuser)  # type: ignore[union-attr]

    def acting_on(self, request: HttpRequest, row: Any) -> Principal:
        """The superuser, within the organisation itself."""
        return acting_principal(request, row.pk)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A new tenant, through the service."""

        def serve(principal: Principal, values: dict[str, Any]) -> str:
            organisation = create_organisation(by=principal, **values)
            return f"{organisation.name} was added; add its first administrator under Users."

        return service_page(self, request, OrganisationForm, title="Add a tenant", serve=serve)


def _link(words: str, address: str) -> str:
    return format_html(
        '<a class="font-medium text-primary-600 underline dark:text-primary-500" href="{}">{}</a>',
        address,
        words,
    )


class SessionInline(ReadOnlyInline):
    """Where the person is signed in now."""

    model = AuthSession
    fields = readonly_fields = ("address", "user_agent", "created_at", "expires_at", "end")
    verbose_name_plural = "Live sessions"
    show_change_link = False
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> Any:
        """Live ones."""
        return super().get_queryset(request).live().order_by("-id")

    @admin.display(description="")
    def end(self, session: AuthSession) -> str:
        """The way to end it."""
        return _link("End…", reverse("admin:users_authsession_end", args=[session.pk]))


class KeyInline(ReadOnlyInline):
    """The person's keys that work."""

    model = ApiKey
    fields = readonly_fields = ("label", "prefix", "role", "expires_at", "last_used_at", "revoke")
    verbose_name_plural = "API keys in force"
    show_change_link = False
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> Any:
        """Those not revoked."""
        return super().get_queryset(request).filter(revoked_at=None).order_by("-id")

    @admin.display(description="")
    def revoke(self, key: ApiKey) -> str:
        """The way to revoke it."""
        return _link("Revoke…", reverse("admin:users_apikey_revoke", args=[key.pk]))


def _end_all(user: Any, order: Order) -> None:
    revoke_sessions(user=user, by=order.principal)


def _reset_factor(user: Any, order: Order) -> None:
    mfa.reset(user=user, by=order.principal)


@admin.register(User)
class UserAdmin(ConsoleAdmin):
    """People, what they may do, and what they get in with. Passwords are shown nowhere."""

    list_display = ("username", "email", "role", "is_staff", "is_active", "organisation")
    list_filter = ("role", "is_active", "is_staff")
    list_select_related = ("organisation",)
    search_fields = ("username", "email")
    ordering = ("username",)
    inlines = (GrantInline, SessionInline, KeyInline)
    fields = (
        "username",
        "email",
        "role",
        "is_active",
        "is_staff",
        "is_superuser",
        "organisation",
        "second_factor",
        "must_reset_password",
        "last_login",
        "created_at",
        "uuid",
    )
    actions = (
        confirmed_action(
            "end_sessions",
            title="End all sessions",
            apply=_end_all,
            permission="manage",
            effect="They are signed out everywhere at once. Their API keys go on.",
        ),
        confirmed_action(
            "reset_factors",
            title="Take second factors away",
            apply=_reset_factor,
            permission="manage",
            effect="They log in with the password alone until they enrol anew. Make sure who asks.",
        ),
    )
    actions_detail = ("reset_page", "key_page")

    @admin.display(description="second factor")
    def second_factor(self, user: User) -> str:
        """Whether one is in force, and how many recovery codes are left."""
        if not mfa.is_enabled(user):
            return "none"
        return f"in force, {mfa.codes_left(user)} recovery codes left"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Only a superuser gives console rights; nobody moves a person to another tenant."""
        fixed = (
            *("username", "organisation", "uuid", "last_login", "created_at"),
            *("second_factor", "must_reset_password"),
        )
        is_self = obj is not None and obj.pk == request.user.pk
        if request.user.is_superuser and not is_self:  # type: ignore[union-attr]
            return fixed
        own_rights = ("role", "is_active") if is_self else ()
        return (*fixed, "is_staff", "is_superuser", *own_rights)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators; superusers are changed by superusers only."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:  # type: ignore[union-attr]
            return False
        return super().has_change_permission(request, obj)

    def has_people_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the person may act on this one; buttons of the page ask by this name."""
        if object_id is None:
            return self.has_change_permission(request)
        row = self.get_object(request, str(object_id))
        return row is not None and self.has_change_permission(request, row)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Through the service, which records it."""
        wanted = {name: form.cleaned_data[name] for name in form.changed_data}
        change_user(user=obj, by=self.acting_on(request, obj), **wanted)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Grants through their service; nothing else below a person is edited."""
        if formset.model is AccountGrant:
            save_grants(request, formset)
        else:
            formset.save(commit=False)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A new person, through the service."""

        def serve(principal: Principal, values: dict[str, Any]) -> str:
            if values["is_staff"] and not principal.is_superuser:
                raise Denied("Only a superuser gives console rights.", code="permission_denied")
            demand_strong(values["password"])
            organisation = Organisation.objects.visible_to(principal).get(
                pk=principal.organisation_id
            )
            user = create_user(organisation=organisation, by=principal, **values)
            return f"{user.username} was added."

        return service_page(self, request, UserForm, title="Add a person", serve=serve)

    @detail_act("Let set a new password", address="issue-reset", permission="people")
    def reset_page(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Issue a reset token, shown once."""
        user = self.get_object(request, str(object_id))
        if user is None:
            raise Http404

        def serve(principal: Principal, values: dict[str, Any]) -> HttpResponse:
            issued = issue_reset(user=user, by=principal)
            page = request.build_absolute_uri(reverse("dashboard:reset"))
            return shown_once(
                self,
                request,
                title=f"New password of {user.username}",
                label="Hand this address to the person, over a channel you trust.",
                secret=f"{page}?token={issued.token}",
                note=f"Good once, until {localtime(issued.expires_at):%Y-%m-%d %H:%M %Z}. "
                f"{issued.ended_sessions} sessions ended.",
                onward=reverse("admin:users_user_change", args=[user.pk]),
            )

        return service_page(
            self,
            request,
            ConfirmForm,
            title="Let set a new password",
            serve=serve,
            intro=f"{user.username} is signed out everywhere and cannot sign in before a new "
            "password is set with the token that the next page shows once.",
            allowed=self.has_people_permission(request, object_id),
        )

    @detail_act("Make a key", address="make-key", permission="people")
    def key_page(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """To the form of a new key of this person."""
        return HttpResponseRedirect(f"{reverse('admin:users_apikey_add')}?user={object_id}")
