"""What protects an owner's share of a position: one set of legs, from the first fill to the end."""

from django.db import models
from django.db.models import Q

from accounts.models import Account
from common.clock import now
from common.money import MoneyField
from common.principal import Principal

from .orders import Order
from .positions import Position


class ProtectionQuerySet(models.QuerySet["Protection"]):
    """Selections of sets."""

    def visible_to(self, principal: Principal) -> "ProtectionQuerySet":
        """Sets on accounts that the principal may read."""
        return self.filter(position__account__in=Account.objects.visible_to(principal))

    def active(self) -> "ProtectionQuerySet":
        """Sets that still protect something, or have to be withdrawn."""
        return self.exclude(state=Protection.State.ENDED)


class Protection(models.Model):
    """The set of one owner in one position: what is wished for, and how it stands.

    ``stop_price`` and ``target_price`` are in quote currency. ``trail`` is the distance of a
    trailing stop, ``2%`` or an amount of quote currency, behind ``best_price``; the tighter of the
    two stops holds. ``entry`` is the order that asked last, or the newest there was when a person
    did; ``is_fixed`` says that one did, so that late fills no longer change the set.
    ``revision`` rises with every order the set makes and ``failures`` counts those in a row that
    did not come to work, the next of them not before ``next_attempt_at``. ``watched_at`` is when a
    price was last held against the legs, ``checked_at`` when the orders were, ``since`` when the
    state began, ``problem`` why it is what it is.
    """

    class State(models.TextChoices):
        PLACING = "placing"
        PROTECTED = "protected"
        MISSING = "missing"
        ENDED = "ended"

    position = models.ForeignKey(Position, on_delete=models.CASCADE, related_name="protections")
    magic_id = models.BigIntegerField(default=0)
    entry = models.ForeignKey(Order, null=True, on_delete=models.PROTECT, related_name="+")
    is_fixed = models.BooleanField(default=False)
    stop_price = MoneyField(null=True)
    target_price = MoneyField(null=True)
    trail = models.CharField(max_length=40, blank=True, default="")
    best_price = MoneyField(null=True)
    state = models.CharField(max_length=9, choices=State, default=State.PLACING)
    problem = models.CharField(max_length=60, blank=True, default="")
    revision = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    watched_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    since = models.DateTimeField(default=now)
    created_at = models.DateTimeField(default=now, editable=False)

    objects = ProtectionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("position", "magic_id"), name="one_protection_per_owner"
            ),
        )
        indexes = (
            models.Index(
                fields=("position",), name="protection_active", condition=~Q(state="ended")
            ),
        )

    def __str__(self) -> str:
        return f"{self.state} ({self.position_id}, owner {self.magic_id})"
