"""Notification channels and what goes out through them; an address goes in and never comes out."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldBooleanWidget

from common.errors import Unavailable
from common.principal import Principal
from monitoring import channels
from monitoring.models import NotificationChannel, OutgoingMessage
from monitoring.notices import topics
from monitoring.sending import SCHEMES, SENT, told

from .actions import Order, confirmed_action
from .base import ConsoleAdmin, ReadOnlyAdmin, detail_act
from .forms import ServiceForm, secret_field, service_page, text_field
from .one_organisation import OneOrganisationForm
from .people_forms import ConfirmForm

INTRO = (
    "An address in Apprise's form, such as tgram://bot-token/chat-id, discord://id/token, "
    "mailto://user:password@example.com?to=me@example.com, ntfys://host/topic or "
    "jsons://host/path. It is encrypted at once and shown nowhere again."
)
WHERE_TO = (
    "Addresses in the private network and on this machine are refused, also where a name or a "
    "redirect leads there, unless the platform's operator allows them (NOTIFY_PRIVATE_ADDRESSES)."
)


def topics_field() -> Any:
    """What a channel is told of."""
    return forms.MultipleChoiceField(
        label="Tells of",
        choices=lambda: [(topic.name, topic.label) for topic in topics()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="At most ten messages a minute go out; more are told together as one.",
    )


class ChannelForm(ServiceForm):
    """A new channel."""

    name = text_field("Name", most=channels.NAME_LENGTH)
    address = secret_field("Address", help_text=WHERE_TO)
    topics = topics_field()
    is_enabled = forms.BooleanField(
        label="In use", required=False, initial=True, widget=UnfoldBooleanWidget
    )


class ChannelChangeForm(OneOrganisationForm):
    """A channel's settings; the address only to replace it."""

    address = secret_field(
        "New address", required=False, help_text=f"Empty: the one it has stays. {WHERE_TO}"
    )
    topics = topics_field()

    class Meta:
        model = NotificationChannel
        fields = ("name", "topics", "is_enabled")
        labels: ClassVar[dict[str, str]] = {"is_enabled": "In use"}


def _switch(is_enabled: bool) -> Any:
    def apply(row: Any, order: Order) -> None:
        channels.change_channel(
            principal=order.principal,
            channel=row,
            name=row.name,
            topics=row.topics,
            is_enabled=is_enabled,
        )

    return apply


def _delete(row: Any, order: Order) -> None:
    channels.delete_channel(principal=order.principal, channel=row)


def _try_out(row: Any, order: Order) -> None:
    result = channels.try_out(principal=order.principal, channel=row)
    if result != SENT:
        raise Unavailable(f"The message did not arrive: {told(result)}.", code="not_delivered")


@admin.register(NotificationChannel)
class NotificationChannelAdmin(ConsoleAdmin):
    """Where an organisation's messages go."""

    form = ChannelChangeForm
    list_display = (
        "name",
        "service",
        "is_enabled",
        "outcome",
        "last_tried_at",
        "last_sent_at",
        "waiting",
        "organisation",
    )
    list_filter = ("is_enabled", "scheme")
    list_select_related = ("organisation",)
    search_fields = ("name", "scheme")
    ordering = ("name",)
    actions_detail = ("test_page",)
    fields = (
        *("name", "address", "topics", "is_enabled", "organisation", "service", "outcome"),
        *("failures", "last_tried_at", "last_sent_at", "held_until", "waiting", "created_at"),
    )
    readonly_fields = fields[4:]
    actions = (
        confirmed_action(
            "test_channels",
            title="Send test messages",
            apply=_try_out,
            heavy=False,
            permission="manage",
            effect="Each sends one message now. The page answers when all have been tried.",
        ),
        confirmed_action(
            "enable_channels",
            title="Use channels",
            apply=_switch(True),
            heavy=False,
            permission="manage",
            effect="They are told of what happens from now on.",
        ),
        confirmed_action(
            "disable_channels",
            title="Do not use channels",
            apply=_switch(False),
            heavy=False,
            permission="manage",
            effect="They are told of nothing. What still waits for them is dropped.",
        ),
        confirmed_action(
            "delete_channels",
            title="Delete channels",
            apply=_delete,
            permission="manage",
            effect="The channels go, with their messages. This cannot be undone.",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of messages that wait."""
        waits = Q(messages__state=OutgoingMessage.State.WAITING)
        return super().get_queryset(request).annotate(waits=Count("messages", filter=waits))

    @admin.display(description="service", ordering="scheme")
    def service(self, row: NotificationChannel) -> str:
        """The kind of address; nothing else of it is shown."""
        return f"{SCHEMES.get(row.scheme, '?')} ({row.scheme}://)"

    @admin.display(description="last result")
    def outcome(self, row: NotificationChannel) -> str:
        """In words, with the failures in a row."""
        if not row.last_result:
            return "nothing was sent yet"
        again = f", {row.failures} times in a row" if row.failures > 1 else ""
        return f"{told(row.last_result)}{again}"

    @admin.display(description="waiting", ordering="waits")
    def waiting(self, row: Any) -> int:
        """Messages that have not gone out."""
        return int(row.waits)

    def has_try_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the person may send through this channel; the page's button asks."""
        if object_id is not None and self.get_object(request, str(object_id)) is None:
            return False
        return self.has_manage_permission(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Through the service, which records it."""
        values = form.cleaned_data
        channels.change_channel(
            principal=self.acting_on(request, obj),
            channel=obj,
            **{name: values[name] for name in ("name", "address", "topics", "is_enabled")},
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A new channel, through the service."""

        def serve(principal: Principal, values: dict[str, Any]) -> str:
            row = channels.create_channel(principal=principal, **values)
            return f"{row.name} was added. Send a test message through it next."

        return service_page(
            self, request, ChannelForm, title="Add a channel", serve=serve, intro=INTRO
        )

    @detail_act("Send a test message", address="test-message", permission="try")
    def test_page(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Send one message now and say what came of it."""
        row = self.get_object(request, str(object_id))
        if row is None:
            raise Http404

        def serve(principal: Principal, values: dict[str, Any]) -> HttpResponse:
            result = channels.try_out(principal=principal, channel=row)
            level = messages.SUCCESS if result == SENT else messages.ERROR
            self.message_user(request, f"Test message of {row.name}: {told(result)}.", level)
            return HttpResponseRedirect(
                reverse("admin:monitoring_notificationchannel_change", args=[row.pk])
            )

        return service_page(
            self,
            request,
            ConfirmForm,
            title="Send a test message",
            serve=serve,
            intro=f"One message goes out through {row.name} now; the answer takes ten seconds at "
            "most.",
            organisation_id=row.organisation_id,
            allowed=self.has_try_permission(request, object_id),
        )


@admin.register(OutgoingMessage)
class OutgoingMessageAdmin(ReadOnlyAdmin):
    """What was told, or waits to be."""

    organisation_path = "channel__organisation"
    list_display = ("created_at", "channel", "title", "severity", "state", "tries", "outcome")
    list_filter = ("state", "severity", "topic")
    list_select_related = ("channel",)
    search_fields = ("title", "channel__name")
    ordering = ("-id",)

    @admin.display(description="result")
    def outcome(self, row: OutgoingMessage) -> str:
        """In words."""
        return told(row.result)
