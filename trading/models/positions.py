"""Positions and the lots inside them: projections of deals, rebuildable at any time."""

from decimal import Decimal
from typing import ClassVar

from django.db import models

from accounts.models import Account, Book
from common.clock import now
from common.money import ZERO, MoneyField
from common.principal import Principal

DUST = "dust"


class PositionQuerySet(models.QuerySet["Position"]):
    """Selections of positions."""

    def visible_to(self, principal: Principal) -> "PositionQuerySet":
        """Positions of accounts that the principal may read."""
        return self.filter(account__in=Account.objects.visible_to(principal))

    def in_own_book(self) -> "PositionQuerySet":
        """Positions in the book that their account has now."""
        return self.filter(book=models.F("account__book"))

    def external(self) -> "PositionQuerySet":
        """Open positions that no order of ours explains, but for dust."""
        return self.beyond_dust().filter(allocated=False)

    def waiting(self) -> "PositionQuerySet":
        """The inbox: external ones that nobody has ignored since they last changed."""
        changed = models.Q(updated_at__gt=models.F("ignored_at"))
        return self.external().filter(models.Q(ignored_at=None) | changed)

    def open(self) -> "PositionQuerySet":
        """Positions that hold something."""
        return self.filter(state=Position.State.OPEN)

    def beyond_dust(self) -> "PositionQuerySet":
        """Open positions that could be closed at a venue: all but dust."""
        return self.open().exclude(external_order_id=DUST)


class Position(models.Model):
    """What an account holds of a symbol, as the sum of its deals.

    ``quantity`` is unsigned, in base units, net of fees taken in the base coin; ``side`` is buy for
    long. ``realised`` and ``fees`` are in the quote currency, fees not part of ``realised``. In a
    netting account one allocated position is open per symbol; a hedging account's are not
    ``is_netting`` and as many as its orders have opened. What nobody explains stands in positions
    that are not ``allocated``; ``venue_side`` (long, short) is where a venue in hedge mode has one
    of a hedging account, empty where the venue did not say. ``protection`` is the worst state among
    the sets of its owners (see ``Protection``); nothing but those writes it. ``ignored_at`` is when
    an operator left such a position as it is.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    class Guarded(models.TextChoices):
        NONE_WANTED = "none_wanted"
        PROTECTED = "protected"
        PLACING = "placing"
        MISSING = "missing"

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="positions", db_index=False
    )
    book = models.CharField(max_length=10, choices=Book)
    symbol = models.CharField(max_length=60)
    side = models.CharField(max_length=4)
    is_netting = models.BooleanField(default=True)
    allocated = models.BooleanField(default=True)
    external_order_id = models.CharField(max_length=80, blank=True, default="")
    venue_side = models.CharField(max_length=5, blank=True, default="")
    quantity = MoneyField(default=ZERO)
    average_price = MoneyField(default=ZERO)
    entered_quantity = MoneyField(default=ZERO, help_text="Sum of all entries, base units.")
    entry_price = MoneyField(
        default=ZERO, help_text="Average of all entries, kept after the close."
    )
    exited_quantity = MoneyField(default=ZERO, help_text="Sum of all exits, base units.")
    exit_price = MoneyField(default=ZERO, help_text="Average of all exits; 0 before the first.")
    realised = MoneyField(default=ZERO)
    fees = MoneyField(default=ZERO)
    state = models.CharField(max_length=6, choices=State, default=State.OPEN)
    protection = models.CharField(max_length=11, choices=Guarded, default=Guarded.NONE_WANTED)
    opened_at = models.DateTimeField(default=now)
    closed_at = models.DateTimeField(null=True)
    ignored_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PositionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "book", "symbol"),
                condition=models.Q(state="open", is_netting=True, allocated=True),
                name="one_open_netting_position",
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=0), name="position_quantity_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", quantity__gt=0)
                | models.Q(state="closed", quantity="0"),
                name="closed_position_is_empty",
            ),
        )
        indexes = (
            models.Index(fields=("account", "symbol", "state"), name="position_account_symbol"),
            models.Index(fields=("account", "-id"), name="position_account_newest"),
            models.Index(
                fields=("account", "-id"),
                name="position_account_open",
                condition=models.Q(state="open"),
            ),
        )

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.symbol}"

    @property
    def seat(self) -> Account:
        """The account in the position's book, which need not be the account's own."""
        return self.account.in_book(self.book)

    @property
    def signed_quantity(self) -> Decimal:
        """Base units, negative for a short."""
        quantity: Decimal = self.quantity
        return quantity if self.side == "buy" else -quantity


class ExternalPositions(models.Manager["ExternalPosition"]):
    """Those rows of positions that are external."""

    def get_queryset(self) -> models.QuerySet["ExternalPosition"]:
        """Open ones that no order of ours explains."""
        return PositionQuerySet(self.model, using=self._db).external()  # type: ignore[return-value]


class ExternalPosition(Position):
    """An open position that somebody made at the exchange beside the platform."""

    objects: ClassVar[ExternalPositions] = ExternalPositions()  # type: ignore[assignment]

    class Meta:
        proxy = True

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has ignored it since it changed last."""
        return self.ignored_at is None or self.updated_at > self.ignored_at

    def __str__(self) -> str:
        return f"{super().__str__()} (external order {self.external_order_id})"


class Lot(models.Model):
    """One owner's share of a position: signed base quantity, average price, realised result and
    fees.
    """

    position = models.ForeignKey(Position, on_delete=models.CASCADE, related_name="lots")
    magic_id = models.BigIntegerField(default=0)
    quantity = MoneyField(default=ZERO)
    average_price = MoneyField(default=ZERO)
    realised = MoneyField(default=ZERO)
    fees = MoneyField(default=ZERO)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("position", "magic_id"), name="one_lot_per_owner"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} of owner {self.magic_id}"
