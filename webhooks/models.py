"""Signals: authentic alerts, stored before they are acted on."""

from django.db import models

from bots.models import Bot
from common.clock import now
from common.principal import Principal
from trading.models import Execution


class SignalQuerySet(models.QuerySet["Signal"]):
    """Which signals may be seen."""

    def visible_to(self, principal: Principal) -> "SignalQuerySet":
        """Signals of bots that the principal may see."""
        return self.filter(bot__in=Bot.objects.visible_to(principal))


class Signal(models.Model):
    """One authentic alert and what became of it.

    ``body`` is the redacted text as received, ``body_sha256`` the digest of the raw bytes that
    duplicates within a minute are found by. ``request`` is the parsed alert; ``deliveries`` counts
    repeats. ``used_previous_secret`` says that it was proven by a secret that has been renewed.
    """

    class State(models.TextChoices):
        RECEIVED = "received"
        REFUSED = "refused"
        ROUTED = "routed"
        FINISHED = "finished"

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="signals")
    correlation_id = models.CharField(max_length=40, unique=True)
    alert_id = models.CharField(max_length=120, blank=True, default="")
    body = models.TextField()
    body_sha256 = models.CharField(max_length=64)
    auth_mode = models.CharField(max_length=10)
    used_previous_secret = models.BooleanField(default=False)
    address = models.GenericIPAddressField(null=True)
    alert_time = models.DateTimeField(null=True)
    request = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    reason_code = models.CharField(max_length=60, blank=True, default="")
    message = models.CharField(max_length=300, blank=True, default="")
    execution = models.OneToOneField(
        Execution, null=True, on_delete=models.PROTECT, related_name="signal"
    )
    deliveries = models.PositiveSmallIntegerField(default=1)
    success_count = models.PositiveIntegerField(default=0)
    error_count = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField(default=now, editable=False)
    finished_at = models.DateTimeField(null=True)

    # Set on the object that answers a repeated delivery; never stored.
    is_duplicate = False

    objects = SignalQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("bot", "alert_id"),
                condition=~models.Q(alert_id=""),
                name="alert_id_once_per_bot",
            ),
        )
        indexes = (
            models.Index(fields=("bot", "body_sha256", "-id"), name="signal_duplicates"),
            models.Index(fields=("state", "id"), name="signal_unfinished"),
        )

    def __str__(self) -> str:
        return self.correlation_id
