"""What a caller asked for: commands, and executions that bundle them."""

import uuid

from django.db import models

from accounts.models import Account
from common.principal import Principal
from trading.states import ACCEPTED, DENIED, RECEIVED


class ExecutionQuerySet(models.QuerySet["Execution"]):
    """Which executions may be seen."""

    def visible_to(self, principal: Principal) -> "ExecutionQuerySet":
        """Executions of the principal's organisation, limited to those with a leg on an account it
        may read.
        """
        rows = self.filter(organisation_id=principal.organisation_id)
        if principal.account_ids is not None:
            own = Command.objects.filter(account__in=principal.account_ids)
            rows = rows.filter(pk__in=own.order_by().values("execution"))
        return rows

    def of_groups(self) -> "ExecutionQuerySet":
        """Orders that were given to a whole group."""
        return self.filter(source=Execution.GROUP)

    def to_judge(self) -> "ExecutionQuerySet":
        """Those of which it is not known yet whether enough legs are placed."""
        return self.filter(min_success__isnull=False, judged_at=None)


class Execution(models.Model):
    """One fan-out: a signal or a group order, its legs frozen when it was made.

    ``source`` says what caused it (``signal``, ``group``, ``terminate``), ``source_ref`` which one;
    ``requested`` is the order as asked for, before sizing. Its legs are the accounts' commands, of
    which a retried one stays beside the attempt that followed. ``min_success`` is how many legs
    have to be placed; ``judged_at`` is when it was known whether they are. With
    ``abort_on_first_reject`` a rejected leg keeps those after it from being sent.
    """

    GROUP = "group"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    correlation_id = models.CharField(max_length=40, unique=True)
    source = models.CharField(max_length=20)
    source_ref = models.CharField(max_length=60, blank=True, default="")
    actor = models.CharField(max_length=120)
    requested = models.JSONField(default=dict)
    min_success = models.PositiveSmallIntegerField(null=True)
    abort_on_first_reject = models.BooleanField(default=False)
    judged_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(
                fields=("source_ref", "-id"),
                name="execution_of_group_newest",
                condition=models.Q(source="group"),
            ),
            models.Index(
                fields=("id",),
                name="execution_to_judge",
                condition=models.Q(min_success__isnull=False, judged_at=None),
            ),
        )

    def __str__(self) -> str:
        return self.correlation_id


class CommandQuerySet(models.QuerySet["Command"]):
    """Which commands may be seen."""

    def visible_to(self, principal: Principal) -> "CommandQuerySet":
        """Commands on accounts that the principal may read."""
        return self.filter(account__in=Account.objects.visible_to(principal))


class Command(models.Model):
    """One instruction for one account, written before anything is sent.

    ``request_id`` makes it idempotent per (organisation, principal, account). A denied command
    keeps its reason code and the whole ``decision``: every check with the values it compared. A leg
    of a fan-out that failed may be tried again, once for each attempt: ``retry_of`` is the one
    before, and ``attempt`` counts from 1.
    """

    class Kind(models.TextChoices):
        SEND_ORDER = "send_order"
        CANCEL_ORDER = "cancel_order"
        CLOSE_POSITION = "close_position"
        CHANGE_ORDER = "change_order"
        CLOSE_BY = "close_by"

    # The kinds that make an order of their own.
    PLACING = (Kind.SEND_ORDER, Kind.CLOSE_POSITION)

    class State(models.TextChoices):
        RECEIVED = RECEIVED
        DENIED = DENIED
        ACCEPTED = ACCEPTED

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="commands")
    execution = models.ForeignKey(
        Execution, null=True, on_delete=models.PROTECT, related_name="legs"
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    retry_of = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="retried_by"
    )
    principal_key = models.CharField(max_length=120)
    request_id = models.CharField(max_length=120)
    payload_sha256 = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.SEND_ORDER)
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    reason_code = models.CharField(max_length=60, blank=True, default="")
    decision = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CommandQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("organisation", "principal_key", "account", "request_id"),
                name="one_command_per_request_id",
            ),
            models.CheckConstraint(
                condition=models.Q(state="DENIED", reason_code__gt="")
                | (~models.Q(state="DENIED") & models.Q(reason_code="")),
                name="denied_command_has_a_reason",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.request_id}"


class MagicCounter(models.Model):
    """The last owner number given out in an organisation; numbers from here start above
    1,000,000.
    """

    organisation = models.OneToOneField(
        "users.Organisation", primary_key=True, on_delete=models.PROTECT, related_name="+"
    )
    last = models.BigIntegerField(default=1_000_000)

    def __str__(self) -> str:
        return str(self.last)
