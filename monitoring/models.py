"""Alerts, which have a life cycle; signs of life; channels that carry messages out."""

import uuid

from django.db import models

from common.clock import now
from common.crypto import seal, unseal
from common.principal import Principal


class AlertQuerySet(models.QuerySet["Alert"]):
    """Which alerts may be seen."""

    def visible_to(self, principal: Principal) -> "AlertQuerySet":
        """Those of the organisation; none for a caller limited to single accounts."""
        rows = self.filter(organisation_id=principal.organisation_id)
        return rows if principal.account_ids is None else rows.none()


class Alert(models.Model):
    """One condition worth a person's attention; repeats of the same fingerprint are counted, not
    stacked.
    """

    class Severity(models.TextChoices):
        INFO = "info"
        WARNING = "warning"
        CRITICAL = "critical"

    class State(models.TextChoices):
        ACTIVE = "active"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"

    organisation = models.ForeignKey(
        "users.Organisation", null=True, on_delete=models.PROTECT, related_name="+"
    )
    code = models.CharField(max_length=60)
    fingerprint = models.CharField(max_length=200)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.WARNING)
    state = models.CharField(max_length=14, choices=State, default=State.ACTIVE)
    message = models.TextField()
    details = models.JSONField(default=dict)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField(auto_now=True)
    settled_by = models.CharField(max_length=120, blank=True, default="")
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ("-last_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("fingerprint",),
                condition=~models.Q(state="resolved"),
                name="one_unresolved_alert_per_fingerprint",
            ),
        )

    def __str__(self) -> str:
        return f"{self.severity} {self.code}"


def beat_of(queue: str) -> str:
    """The name under which the workers of a queue show that they live."""
    return f"queue {queue}"


class Heartbeat(models.Model):
    """The last sign of life of a part of the platform, written by the part itself."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField()
    details = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name


class NotificationChannelQuerySet(models.QuerySet["NotificationChannel"]):
    """Which channels may be seen, and which may be used."""

    def visible_to(self, principal: Principal) -> "NotificationChannelQuerySet":
        """Those of the organisation; none for a caller limited to single accounts."""
        rows = self.filter(organisation_id=principal.organisation_id)
        return rows if principal.account_ids is None else rows.none()

    def free(self) -> "NotificationChannelQuerySet":
        """Those in use that nobody sends through now and that wait for nothing."""
        moment = now()
        return self.filter(
            models.Q(held_until=None) | models.Q(held_until__lte=moment),
            models.Q(leased_until=None) | models.Q(leased_until__lte=moment),
            is_enabled=True,
        )


class NotificationChannel(models.Model):
    """Where an organisation's messages go: an Apprise address and the topics it is told of.

    The address is a credential: sealed, bound to this row, shown nowhere but for its scheme.
    ``leased_until`` makes the sender single; ``held_until`` is when sending is tried again, after
    failures or because a minute's messages are used up. ``failures`` are those in a row.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    name = models.CharField(max_length=80)
    scheme = models.CharField(max_length=20, editable=False)
    address_sealed = models.TextField(editable=False)
    topics = models.JSONField(default=list)
    is_enabled = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, editable=False)
    last_result = models.CharField(max_length=40, blank=True, default="", editable=False)
    last_tried_at = models.DateTimeField(null=True, editable=False)
    last_sent_at = models.DateTimeField(null=True, editable=False)
    held_until = models.DateTimeField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    objects = NotificationChannelQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("organisation", "name"), name="channel_name_once_per_organisation"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def set_address(self, address: str) -> None:
        """Seal the address, bound to this row."""
        self.address_sealed = seal(address, place=self._place)

    def open_address(self) -> str:
        """The address again; raises SealError. For senders only."""
        return unseal(self.address_sealed, place=self._place)

    @property
    def _place(self) -> str:
        return f"notification_channel:{self.uuid}:address"


class OutgoingMessage(models.Model):
    """One event or alert that a channel has to tell; kept some weeks after it was told.

    ``sending`` names the message it went out in, alone or with others. ``happened_at`` is the
    event's time. An event makes one row per channel, however often it is handed out.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    channel = models.ForeignKey(
        NotificationChannel, on_delete=models.CASCADE, related_name="messages"
    )
    event = models.ForeignKey("events.Event", on_delete=models.PROTECT, related_name="+")
    topic = models.CharField(max_length=40)
    severity = models.CharField(max_length=10, choices=Alert.Severity)
    title = models.CharField(max_length=200)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    result = models.CharField(max_length=40, blank=True, default="")
    sending = models.UUIDField(null=True)
    happened_at = models.DateTimeField()
    created_at = models.DateTimeField(default=now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("channel", "event"), name="told_once_per_channel"),
        )
        indexes = (
            models.Index(fields=("channel", "state", "id"), name="message_waiting"),
            models.Index(fields=("settled_at",), name="message_settled"),
        )

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"
