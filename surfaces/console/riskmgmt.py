"""Kill switches, guards of groups, limits, reservations, switches of owners and venues."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from accounts.models import Account
from common.principal import Principal
from riskmgmt import switches
from riskmgmt.group_guards import reset_guard
from riskmgmt.limits import set_limits
from riskmgmt.models import (
    GroupGuard,
    KillSwitch,
    OwnerSwitch,
    Reservation,
    RiskLimit,
    Scope,
    VenueState,
)

from .actions import Order, confirmed_action
from .base import HistoryAdmin, ReadOnlyAdmin, acting_principal
from .forms import SwitchForm, service_page


def _release(switch: Any, order: Order) -> None:
    switches.release(principal=order.principal, switch=switch, confirm=switch.level)


@admin.register(KillSwitch)
class KillSwitchAdmin(ReadOnlyAdmin):
    """Engagements; a new one by form, the release by action."""

    list_display = (
        "level",
        "mode",
        "scope",
        "scope_id",
        "reason",
        "actor",
        "engaged_at",
        "released_at",
        "released_by",
    )
    list_filter = ("level", "mode", "scope", ("released_at", admin.EmptyFieldListFilter))
    ordering = ("-id",)
    actions = (
        confirmed_action(
            "release_switches",
            title="Release kill switches",
            apply=_release,
            permission="risk",
            effect="Entries are accepted again at once within the scopes of these switches.",
        ),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who manages risk."""
        return self.has_risk_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Engage a switch."""

        def serve(principal: Principal, values: dict[str, Any]) -> str:
            scope, account = values["scope"], values["account"]
            scope_id = 0 if scope == Scope.GLOBAL else principal.organisation_id
            if scope == Scope.ACCOUNT:
                scope_id = account.pk
            switch = switches.engage(
                principal=principal,
                scope=scope,
                scope_id=scope_id,
                level=values["level"],
                mode=values["mode"],
                reason=values["reason"],
            )
            return f"Engaged: {switch}."

        return service_page(
            self,
            request,
            SwitchForm,
            title="Engage a kill switch",
            serve=serve,
            intro="It holds from the moment of the press, without queue or worker.",
        )


def _reset(guard: Any, order: Order) -> None:
    reset_guard(
        principal=order.principal, guard=guard, confirm=guard.group_name, reason=order.reason
    )


def _drawdown(guard: Any) -> str:
    state = "latched" if guard.latched_at else "not latched"
    return f"{guard.group_name}: {guard.drawdown:.2f} % below its peak, {state}"


@admin.register(GroupGuard)
class GroupGuardAdmin(ReadOnlyAdmin):
    """How far groups are below their peaks; a latched guard is reset by action."""

    list_display = (
        "group_id",
        "book",
        "currency",
        "drawdown",
        "max_drawdown",
        "value",
        "peak",
        "peak_at",
        "latched_at",
        "judged_at",
        "reset_at",
        "reset_by",
    )
    list_filter = (
        "book",
        ("latched_at", admin.EmptyFieldListFilter),
        ("reset_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("=group_id",)
    ordering = ("-id",)
    actions = (
        confirmed_action(
            "reset_group_guards",
            title="Reset group guards",
            apply=_reset,
            permission="risk",
            asks_reason=True,
            effect="Entries of these groups' accounts are accepted again at once; drawdown is "
            "measured anew from what they are worth at their next reading.",
            preview=_drawdown,
        ),
    )


@admin.register(OwnerSwitch)
class OwnerSwitchAdmin(ReadOnlyAdmin):
    """Owners whose orders are stopped, as the status of their bots says."""

    list_display = ("magic_id", "level", "changed_at", "organisation")
    list_filter = ("level",)
    list_select_related = ("organisation",)
    search_fields = ("=magic_id",)
    ordering = ("-id",)


class LimitForm(ModelForm):
    """Limits of the organisation, or of one of its accounts."""

    class Meta:
        model = RiskLimit
        fields = (
            "organisation",
            "scope",
            "scope_id",
            "max_order_value",
            "max_position_value",
            "price_collar",
        )

    def clean(self) -> dict[str, Any]:
        """The scope must lie within the organisation."""
        cleaned: dict[str, Any] = super().clean() or {}
        organisation = cleaned.get("organisation") or getattr(self.instance, "organisation", None)
        scope = cleaned.get("scope", self.instance.scope)
        scope_id = cleaned.get("scope_id", self.instance.scope_id)
        own = organisation is not None and (
            (scope == Scope.ORGANISATION and scope_id == organisation.pk)
            or (
                scope == Scope.ACCOUNT
                and Account.objects.filter(pk=scope_id, organisation=organisation).exists()
            )
        )
        if not own:
            raise ValidationError("The scope is not within the organisation.")
        return cleaned


@admin.register(RiskLimit)
class RiskLimitAdmin(HistoryAdmin):
    """Limits, set through the service."""

    form = LimitForm
    list_display = (
        "scope",
        "scope_id",
        "max_order_value",
        "max_position_value",
        "price_collar",
        "organisation",
        "updated_at",
    )
    list_filter = ("scope",)
    list_select_related = ("organisation",)
    ordering = ("-id",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What a limit is about does not change."""
        return ("organisation", "scope", "scope_id") if obj else ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who manages risk."""
        return self.has_risk_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who manages risk."""
        return self.has_risk_permission(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """One service call instead of a save."""
        row = set_limits(
            principal=acting_principal(request, obj.organisation_id),
            scope=obj.scope,
            scope_id=obj.scope_id,
            max_order_value=obj.max_order_value,
            max_position_value=obj.max_position_value,
            price_collar=obj.price_collar,
        )
        obj.pk = row.pk


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    """What open entries hold of the limits."""

    list_display = ("account_id", "symbol", "notional", "order_uid", "created_at", "released_at")
    list_filter = (("released_at", admin.EmptyFieldListFilter),)
    search_fields = ("=account_id", "symbol")
    ordering = ("-id",)


def _enable(state: Any, order: Order) -> None:
    switches.set_venue(
        principal=order.principal, venue=state.venue, is_enabled=True, reason=order.reason
    )


def _disable(state: Any, order: Order) -> None:
    switches.set_venue(
        principal=order.principal, venue=state.venue, is_enabled=False, reason=order.reason
    )


@admin.register(VenueState)
class VenueStateAdmin(ReadOnlyAdmin):
    """Whether orders may be sent to a venue."""

    organisation_path = None
    list_display = ("venue", "is_enabled", "reason", "changed_by", "changed_at")
    list_filter = ("is_enabled",)
    ordering = ("venue",)
    actions = (
        confirmed_action(
            "enable_venues",
            title="Enable venues",
            apply=_enable,
            permission="manage",
            asks_reason=True,
            effect="Orders may be sent there again, for every organisation.",
        ),
        confirmed_action(
            "disable_venues",
            title="Disable venues",
            apply=_disable,
            permission="manage",
            asks_reason=True,
            effect="No order is sent there any more, for any organisation.",
        ),
    )
