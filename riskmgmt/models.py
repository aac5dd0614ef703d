"""Kill switches, limits, reservations, guards of groups. Scopes are plain ids: risk knows nothing
of later apps.
"""

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.books import MODES
from accounts.models import Book
from common.money import ZERO, MoneyField
from common.principal import Principal
from groups.models import Group


class Scope(models.TextChoices):
    """What a switch or a limit is about; ``scope_id`` is 0 for global."""

    GLOBAL = "global"
    ORGANISATION = "organisation"
    ACCOUNT = "account"


class KillSwitchQuerySet(models.QuerySet["KillSwitch"]):
    """Which switches are engaged."""

    def engaged(self) -> "KillSwitchQuerySet":
        """Switches that are on now."""
        return self.filter(released_at=None)


class KillSwitch(models.Model):
    """One engagement of a kill switch.

    REDUCING refuses entries and lets reduce-only orders and cancels pass; HALTED lets only cancels
    and an operator's own flatten pass. ``mode`` limits it to orders of that mode, empty: all; live
    are those that are really sent, to a rehearsal too. Read inside the transaction that claims
    orders.
    """

    class Level(models.TextChoices):
        REDUCING = "REDUCING"
        HALTED = "HALTED"

    organisation = models.ForeignKey(
        "users.Organisation", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    scope = models.CharField(max_length=14, choices=Scope)
    scope_id = models.BigIntegerField(default=0)
    level = models.CharField(max_length=10, choices=Level, default=Level.REDUCING)
    mode = models.CharField(
        max_length=6, blank=True, default="", choices=[(mode, mode) for mode in MODES]
    )
    reason = models.CharField(max_length=300)
    actor = models.CharField(max_length=120)
    engaged_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=120, blank=True, default="")

    objects = KillSwitchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "kill switches"
        constraints = (
            models.UniqueConstraint(
                fields=("scope", "scope_id", "mode"),
                condition=models.Q(released_at=None),
                name="one_engaged_switch_per_scope",
            ),
        )

    def __str__(self) -> str:
        only = f", {self.mode} orders only" if self.mode else ""
        return f"{self.level} on {self.scope} {self.scope_id or ''}".strip() + only


class OwnerSwitch(models.Model):
    """How far the orders of an owner number are stopped; an owner without a row is not.

    REDUCING refuses entries, HALTED also every exit that a signal asks for. Read inside the
    transaction that claims orders, as kill switches are.
    """

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    magic_id = models.BigIntegerField()
    level = models.CharField(max_length=10, choices=KillSwitch.Level)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "owner switches"
        constraints = (
            models.UniqueConstraint(
                fields=("organisation", "magic_id"), name="one_owner_switch_per_owner"
            ),
        )

    def __str__(self) -> str:
        return f"{self.level} for owner {self.magic_id}"


class GroupGuardQuerySet(models.QuerySet["GroupGuard"]):
    """Guards in force."""

    def visible_to(self, principal: Principal) -> "GroupGuardQuerySet":
        """Those of the organisation; none for a caller limited to single accounts, since a guard
        speaks of all members.
        """
        rows = self.filter(organisation_id=principal.organisation_id)
        return rows if principal.account_ids is None else rows.none()

    def current(self) -> "GroupGuardQuerySet":
        """Those that nobody has reset."""
        return self.filter(reset_at=None)

    def latched(self) -> "GroupGuardQuerySet":
        """Those that refuse entries now."""
        return self.current().filter(latched_at__isnull=False)


class GroupGuard(models.Model):
    """Watches the drawdown of a group's accounts in one book and currency, from its start to its
    reset.

    ``value`` is the newest value of a unit of the group, 1 at the start; deposits and withdrawals
    leave it alone. Once ``latched_at`` is set entries of these accounts are refused, and value and
    peak stay as they were then; ``drawdown`` is in percent. ``line`` is what the next value is
    computed from (``riskmgmt.unit_values``); ``suspected_at`` is since when a breach waits for
    withdrawals to be told.
    """

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    group_id = models.BigIntegerField()
    book = models.CharField(max_length=10, choices=Book)
    currency = models.CharField(max_length=10)
    value = MoneyField()
    peak = MoneyField()
    peak_at = models.DateTimeField()
    drawdown = MoneyField(default=ZERO)
    line = models.JSONField(editable=False)
    started_at = models.DateTimeField()
    judged_at = models.DateTimeField()
    suspected_at = models.DateTimeField(null=True)
    latched_at = models.DateTimeField(null=True)
    max_drawdown = MoneyField(null=True, help_text="The group's limit when it latched.")
    reset_at = models.DateTimeField(null=True)
    reset_by = models.CharField(max_length=120, blank=True, default="")
    reason = models.CharField(max_length=300, blank=True, default="")

    objects = GroupGuardQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("group_id", "book", "currency"),
                condition=models.Q(reset_at=None),
                name="one_guard_per_group_book_and_currency",
            ),
        )

    def __str__(self) -> str:
        return f"guard of group {self.group_id} ({self.book}, {self.currency})"

    @property
    def group_name(self) -> str:
        """The group's name now; empty for one that was deleted. One query."""
        names = Group.objects.filter(pk=self.group_id).values_list("name", flat=True)
        return str(names.first() or "")


class RiskLimit(models.Model):
    """Limits of an organisation or an account; null means no limit, and the strictest scope holds.

    Values in the account's quote currency; the collar is a percentage of the last price.
    """

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    scope = models.CharField(max_length=14, choices=Scope)
    scope_id = models.BigIntegerField()
    max_order_value = MoneyField(null=True, blank=True)
    max_position_value = MoneyField(null=True, blank=True)
    price_collar = MoneyField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    history = HistoricalRecords(related_name="+")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("scope", "scope_id"), name="one_limit_row_per_scope"),
        )

    def __str__(self) -> str:
        return f"limits of {self.scope} {self.scope_id}"


class VenueState(models.Model):
    """Whether orders may be sent to a venue at all; a venue without a row is enabled."""

    venue = models.CharField(max_length=60, primary_key=True)
    is_enabled = models.BooleanField(default=True)
    reason = models.CharField(max_length=300, blank=True, default="")
    changed_by = models.CharField(max_length=120)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.venue} {'enabled' if self.is_enabled else 'disabled'}"


class ReservationQuerySet(models.QuerySet["Reservation"]):
    """Reservations in force."""

    def held(self) -> "ReservationQuerySet":
        """Not released yet."""
        return self.filter(released_at=None)


class Reservation(models.Model):
    """What a not yet finished entry order may still add to a position of its book, and what it
    loses when it is stopped out (null without a stop), in the account's quote currency.
    """

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account_id = models.BigIntegerField()
    book = models.CharField(max_length=10, choices=Book)
    order_uid = models.UUIDField(unique=True)
    symbol = models.CharField(max_length=60)
    notional = MoneyField()
    at_risk = MoneyField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True, blank=True)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(
                fields=("account_id", "symbol"),
                name="reservation_held",
                condition=models.Q(released_at=None),
            ),
        )

    def __str__(self) -> str:
        return f"{self.notional} for {self.order_uid}"
