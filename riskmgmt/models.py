"""Kill switches, limits and reservations. Scopes are plain ids: risk knows nothing of later
apps.
"""

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.books import MODES
from accounts.models import Book
from common.money import MoneyField


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
    """What a not yet finished entry order may still add to a position of its book, in the account's
    quote currency.
    """

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account_id = models.BigIntegerField()
    book = models.CharField(max_length=10, choices=Book)
    order_uid = models.UUIDField(unique=True)
    symbol = models.CharField(max_length=60)
    notional = MoneyField()
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
