"""Alerts: things an operator should know about, with a life cycle."""

from django.db import models

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


class Heartbeat(models.Model):
    """The last sign of life of a part of the platform, written by the part itself."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField()
    details = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name
