"""What people and machines get in with: keys, sessions, second factors, resets, failures."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from common.principal import Principal
from users import mfa
from users.models import (
    ApiKey,
    AuthSession,
    LoginThrottle,
    PasswordReset,
    RecoveryCode,
    TotpDevice,
)
from users.services import create_api_key, end_session, revoke_api_key

from .actions import Order, confirmed_action
from .base import ReadOnlyAdmin
from .forms import service_page
from .once import shown_once
from .own_pages import own_page
from .people_forms import KeyForm, ReasonForm

End = Callable[[Any, Principal, str], None]


def _revoke_key(key: Any, by: Principal, reason: str) -> None:
    revoke_api_key(key=key, by=by, reason=reason)


def _reset_factor(device: Any, order: Order) -> None:
    mfa.reset(user=device.user, by=order.principal)


def _end_session(session: Any, by: Principal, reason: str) -> None:
    end_session(session=session, by=by, reason=reason)


class EndableAdmin(ReadOnlyAdmin):
    """Rows of a person that are ended one by one, on a page that says what follows.

    ``end`` is the service call: the row, who ends it, and why.
    """

    act: str
    title: str
    effect: str
    end: ClassVar[End]

    def get_urls(self) -> list[Any]:
        """Beside the usual pages the one that ends a row."""
        page = self.admin_site.admin_view(self.end_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_{self.act}"
        return [path(f"<int:row_id>/{self.act}/", page, name=name), *super().get_urls()]

    @own_page("manage")
    def end_view(self, request: HttpRequest, row_id: int) -> HttpResponse:
        """Show what would end; on the sent form, end it and go back to the person."""
        row = self.get_object(request, str(row_id))
        if row is None:
            raise Http404

        def serve(principal: Principal, values: dict[str, Any]) -> HttpResponse:
            self.end(row, principal, values["reason"])
            self.message_user(request, f"{self.title}: done for {row}.")
            return HttpResponseRedirect(reverse("admin:users_user_change", args=[row.user_id]))

        return service_page(
            self,
            request,
            ReasonForm,
            title=self.title,
            serve=serve,
            intro=f"{row} of {row.user}. {self.effect}",
            allowed=True,
        )


@admin.register(ApiKey)
class ApiKeyAdmin(EndableAdmin):
    """Keys by their prefix; a new one is shown once, on the page after the form."""

    act, title, end = "revoke", "Revoke the key", staticmethod(_revoke_key)
    effect = "It fails from the next request on. This cannot be undone."
    list_display = ("label", "prefix", "user", "role", "expires_at", "revoked_at", "last_used_at")
    list_filter = ("role",)
    list_select_related = ("user",)
    search_fields = ("label", "prefix", "user__username")
    ordering = ("-id",)
    actions = (
        confirmed_action(
            "revoke_keys",
            title="Revoke API keys",
            apply=lambda key, order: _revoke_key(key, order.principal, order.reason),
            permission="manage",
            effect="The keys fail from the next request on. This cannot be undone.",
        ),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators."""
        return self.has_view_permission(request) and self.has_manage_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A new key; the answer shows it this once."""

        def serve(principal: Principal, values: dict[str, Any]) -> HttpResponse:
            user = values["user"]
            key, text = create_api_key(by=principal, **values)
            return shown_once(
                self,
                request,
                title=f"Key {key.label} of {user.username}",
                label="Send it in the header x-api-key, or as a bearer token.",
                secret=text,
                note="Whoever has it acts as this person. Revoke it when it is no longer needed.",
                onward=reverse("admin:users_user_change", args=[user.pk]),
            )

        return service_page(self, request, KeyForm, title="Make a key", serve=serve)


@admin.register(AuthSession)
class AuthSessionAdmin(EndableAdmin):
    """Log-ins through the APIs and on pages."""

    act, title, end = "end", "End the session", staticmethod(_end_session)
    effect = "Its tokens and pages fail from the next request on, its sockets are closed."
    organisation_path = "user__organisation"
    list_display = (
        "user",
        "surface",
        "address",
        "created_at",
        "expires_at",
        "revoked_at",
        "revoked_reason",
    )
    list_select_related = ("user",)
    search_fields = ("user__username", "address")
    ordering = ("-id",)
    actions = (
        confirmed_action(
            "revoke_sessions",
            title="End sessions",
            apply=lambda row, order: _end_session(row, order.principal, order.reason),
            permission="manage",
            effect="Their tokens and pages fail from the next request on and their sockets are "
            "closed.",
        ),
    )

    @admin.display(description="through")
    def surface(self, session: AuthSession) -> str:
        """Whether it was opened on pages or through an API."""
        return "pages" if session.claimed_device.get("surface") == "pages" else "API"


@admin.register(TotpDevice)
class TotpDeviceAdmin(ReadOnlyAdmin):
    """Second factors; an administrator takes a lost one away."""

    organisation_path = "user__organisation"
    list_display = ("user", "confirmed_at", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    actions = (
        confirmed_action(
            "reset_factors",
            title="Take second factors away",
            apply=_reset_factor,
            permission="manage",
            effect="They log in with the password alone until they enrol anew. Make sure who asks.",
        ),
    )


@admin.register(RecoveryCode)
class RecoveryCodeAdmin(ReadOnlyAdmin):
    """Which recovery codes were used; the codes themselves are nowhere."""

    organisation_path = "user__organisation"
    list_display = ("user", "used_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)


@admin.register(PasswordReset)
class PasswordResetAdmin(ReadOnlyAdmin):
    """Reset tokens that were issued; the tokens themselves are nowhere."""

    organisation_path = "user__organisation"
    list_display = ("user", "issued_by", "created_at", "expires_at", "used_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    ordering = ("-id",)


@admin.register(LoginThrottle)
class LoginThrottleAdmin(ReadOnlyAdmin):
    """Failed log-ins counted against an address, or a user at an address."""

    organisation_path = None
    list_display = ("key", "failures", "pending", "blocked_until", "changed_at")
    ordering = ("-changed_at",)
