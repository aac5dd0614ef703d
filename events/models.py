"""The append-only log and what reads it: events, consumers' cursors, audit records."""

from typing import Any

from django.db import models


class Sequence(models.Model):
    """One row per numbered log; whoever holds its row lock may give out the next numbers."""

    name = models.CharField(max_length=40, primary_key=True)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} at {self.last}"


class EventQuerySet(models.QuerySet["Event"]):
    """Reading the log."""

    def after(self, seq: int) -> "EventQuerySet":
        """Numbered events later than ``seq``, in order."""
        return self.filter(seq__gt=seq).order_by("seq")

    def unnumbered(self) -> "EventQuerySet":
        """Committed events that the sequencer has not seen yet, in row order."""
        return self.filter(seq__isnull=True).order_by("id")


class Event(models.Model):
    """Something that happened. Written in the transaction that made it true, numbered afterwards.

    ``seq`` is the number that clients see and resume from. ``topics`` are texts such as
    ``account:7`` or ``bot:3``; a stream selects by them within the organisation. ``payload`` is
    JSON-able, money as text.
    """

    seq = models.BigIntegerField(null=True, editable=False)
    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=60)
    topics = models.JSONField(default=list)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EventQuerySet.as_manager()

    # A new event has no number: it costs these indexes nothing until it is given one.
    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("seq",),
                condition=models.Q(seq__isnull=False),
                name="event_number_once",
            ),
        )
        indexes = (
            models.Index(
                fields=("organisation", "seq"),
                name="event_org_seq",
                condition=models.Q(seq__isnull=False),
            ),
            models.Index(
                fields=("id",), name="event_unnumbered", condition=models.Q(seq__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} #{self.seq}"


class ConsumerCursor(models.Model):
    """How far a durable consumer has come; its row lock makes the consumer single."""

    name = models.CharField(max_length=80, primary_key=True)
    seq = models.BigIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.name} at {self.seq}"


class ParkedEvent(models.Model):
    """An event that a consumer failed on repeatedly; it waits here for an operator."""

    consumer = models.CharField(max_length=80)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="+")
    error = models.TextField()
    parked_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("consumer", "event"), name="parked_once_per_consumer"),
        )

    def __str__(self) -> str:
        return f"{self.consumer}: {self.event_id}"


class AuditChain(models.Model):
    """The head of one organisation's chain of audit records, or of the platform's own.

    ``name`` is the organisation's uuid without hyphens, or ``platform``. The row lock makes the
    follower single. ``exported`` is the number of the last record that stands in the file.
    """

    name = models.CharField(max_length=40, primary_key=True)
    organisation = models.OneToOneField(
        "users.Organisation", null=True, on_delete=models.PROTECT, related_name="+"
    )
    seq = models.BigIntegerField(default=0)
    head = models.CharField(max_length=64, default="0" * 64)
    exported = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} at {self.seq}"


class AuditRecordQuerySet(models.QuerySet["AuditRecord"]):
    """Selections of audit records."""

    def unchained(self) -> "AuditRecordQuerySet":
        """Committed records that the follower has not seen yet, in row order."""
        return self.filter(seq__isnull=True).order_by("id")

    def of_chain(self, chain: AuditChain) -> "AuditRecordQuerySet":
        """The records of a chain, in its order."""
        return self.filter(organisation=chain.organisation_id, seq__isnull=False).order_by("seq")


class AuditRecord(models.Model):
    """Who did what to which object; append-only, by trigger in both databases.

    Written without number and hash; the follower gives both, once (see ``events.audit_chain``).
    """

    organisation = models.ForeignKey(
        "users.Organisation", null=True, on_delete=models.PROTECT, related_name="+"
    )
    actor = models.CharField(max_length=120)
    action = models.CharField(max_length=80)
    target = models.CharField(max_length=160, blank=True, default="")
    address = models.GenericIPAddressField(null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    seq = models.BigIntegerField(null=True, editable=False, help_text="Place in its chain.")
    previous_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    hash = models.CharField(max_length=64, blank=True, default="", editable=False)

    objects = AuditRecordQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("organisation", "seq"), name="audit_place_once"),
        )
        indexes = (
            models.Index(fields=("organisation", "-id"), name="audit_org_newest"),
            models.Index(
                fields=("id",), name="audit_unchained", condition=models.Q(seq__isnull=True)
            ),
        )

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Never: the record of what was done does not go away."""
        raise TypeError("audit records are append-only")


class AuditAnchor(models.Model):
    """A signed statement of where a chain's head stood at a moment; kept in the anchor file too.

    The signature's key is no part of the database, so rewriting the whole chain does not go
    unnoticed.
    """

    chain = models.ForeignKey(AuditChain, on_delete=models.PROTECT, related_name="anchors")
    seq = models.BigIntegerField()
    head = models.CharField(max_length=64)
    signature = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.chain_id} at {self.seq}"
