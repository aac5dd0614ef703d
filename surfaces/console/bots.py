"""Bots: made through the service, which gives their secrets once."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from bots import services
from bots.models import Bot, PreviousSecret
from bots.services.creating import names_taken
from common.principal import Principal
from surfaces.webhook_address import webhook_address

from .actions import Order, confirmed_action
from .base import HistoryAdmin, ReadOnlyAdmin
from .forms import BotForm, service_page


def _setter(status: str) -> Any:
    def apply(bot: Any, order: Order) -> None:
        services.set_status(principal=order.principal, bot=bot, status=status)

    return apply


@admin.register(Bot)
class BotAdmin(HistoryAdmin):
    """Signal receivers; state by action."""

    list_display = (
        "name",
        "status",
        "timeframe",
        "signals_total",
        "signals_succeeded",
        "signals_failed",
        "organisation",
    )
    list_filter = ("status", "timeframe")
    list_select_related = ("organisation",)
    search_fields = ("name", "base_name")
    autocomplete_fields = ("accounts", "groups")
    fields = (
        "name",
        "base_name",
        "timeframe",
        "max_leverage",
        "max_alert_age_seconds",
        "certificate_subject",
        "allowed_addresses_shown",
        "accounts",
        "groups",
        "organisation",
        "status",
        "magic_id",
        "signals_total",
        "signals_succeeded",
        "signals_failed",
        "created_at",
    )
    readonly_fields = (
        "organisation",
        "status",
        "magic_id",
        "certificate_subject",
        "allowed_addresses_shown",
        "signals_total",
        "signals_succeeded",
        "signals_failed",
        "created_at",
    )
    actions = (
        confirmed_action(
            "activate_bots",
            title="Activate bots",
            apply=_setter(Bot.Status.ACTIVE),
            heavy=False,
            permission="manage",
            effect="Their signals are executed again.",
        ),
        confirmed_action(
            "pause_bots",
            title="Pause bots",
            apply=_setter(Bot.Status.PAUSED),
            heavy=False,
            permission="manage",
            effect="Entries are refused, exits go through.",
        ),
        confirmed_action(
            "stop_bots",
            title="Stop bots",
            apply=_setter(Bot.Status.STOPPED),
            permission="manage",
            effect="Every signal is recorded and refused, exits too. Positions stay as they are.",
        ),
    )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save; a name that another bot has is told."""
        with names_taken(obj), transaction.atomic():
            super().save_model(request, obj, form, change)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A new bot; the answer shows its secrets this once."""

        def serve(principal: Principal, values: dict[str, Any]) -> HttpResponse:
            accounts, groups = values.pop("accounts"), values.pop("groups")
            addresses = values.pop("allowed_addresses").replace(",", " ").split()
            leverage = values.pop("max_leverage") or 1
            bot, secrets = services.create_bot(
                principal=principal,
                account_ids=[row.pk for row in accounts],
                group_ids=[row.pk for row in groups],
                allowed_addresses=addresses,
                max_leverage=leverage,
                **values,
            )
            context = {
                **self.admin_site.each_context(request),
                "title": f"Bot {bot.name} was added",
                "bot": bot,
                "secrets": secrets,
                "opts": self.opts,
                "webhook": webhook_address(request, secrets.path_token),
            }
            answer = TemplateResponse(request, "console/bot_secrets.html", context)
            answer["Cache-Control"] = "no-store"
            return answer

        return service_page(self, request, BotForm, title="Add a bot", serve=serve)


def _retire(previous: Any, order: Order) -> None:
    services.retire_secret(principal=order.principal, bot=previous.bot, kind=previous.kind)


@admin.register(PreviousSecret)
class PreviousSecretAdmin(ReadOnlyAdmin):
    """Renewed secrets of bots: until when each is accepted, and whether somebody still uses it."""

    organisation_path = "bot__organisation"
    list_display = ("bot", "kind", "accepted_until", "last_used_at", "replaced_at")
    list_filter = ("kind",)
    list_select_related = ("bot",)
    search_fields = ("bot__name",)
    actions = (
        confirmed_action(
            "retire_secrets",
            title="Retire renewed secrets",
            apply=_retire,
            permission="manage",
            effect="Alerts that show them are refused from the commit on. New ones stay in force.",
        ),
    )
