"""Orders and the history of each."""

from decimal import Decimal

from django.db import models

from accounts.models import Account, Book
from common.clock import now
from common.money import ZERO, MoneyField
from common.principal import Principal
from trading import states

from .commands import Command
from .positions import Position


class Side(models.TextChoices):
    """Which way an order goes."""

    BUY = "buy"
    SELL = "sell"


class OrderType(models.TextChoices):
    """What makes an order execute."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"


class OrderQuerySet(models.QuerySet["Order"]):
    """Selections of orders."""

    def visible_to(self, principal: Principal) -> "OrderQuerySet":
        """Orders on accounts that the principal may read."""
        return self.filter(account__in=Account.objects.visible_to(principal))

    def working(self) -> "OrderQuerySet":
        """Orders the venue is known to hold."""
        return self.filter(state__in=states.WORKING)

    def live(self) -> "OrderQuerySet":
        """Orders that are not in a terminal state."""
        return self.filter(state__in=states.LIVE)

    def due_to_send(self) -> "OrderQuerySet":
        """Created orders whose time to be sent has come."""
        return self.filter(state=states.CREATED).filter(
            models.Q(next_attempt_at=None) | models.Q(next_attempt_at__lte=now())
        )


class Order(models.Model):
    """A request to a venue; one row is at most one wire attempt.

    ``quantity`` is in base units; ``filled_quantity`` is always the sum of the order's deals.
    ``position_side`` and ``venue_reduce_only`` are the marks it carries at a derivatives venue,
    ``leverage`` is what is set there before it is sent (0 leaves it).
    ``uid`` is the 128 bits that ``client_order_id`` encodes for the venue. ``claim_token`` names
    the claim that may send it, ``fence`` the lane's lease it was made under, ``send_deadline`` the
    moment after which that claim must not, ``valid_until`` the moment after which the venue can no
    longer accept it. ``is_blind`` says that the venue does not know our id (see ``Snapshot``).
    ``change`` is the command whose ``wanted_price`` and ``wanted_quantity`` (in total) the order is
    being given, ``change_sent_at`` when its venue was first asked for that; all empty once it is
    settled. ``replaces`` is the order this one stands in for where a venue knows no change.
    It is not sent before ``not_before``, nor once the price has moved against it by more than
    ``max_slippage`` percent of ``reference_price``.
    ``take_profit``, ``stop_loss`` and ``trailing_stop`` are what an entry wishes for, as asked for
    (``3%`` or quote currency). ``version`` rises with every change of state.
    """

    uid = models.UUIDField(unique=True, editable=False)
    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    book = models.CharField(max_length=10, choices=Book)
    command = models.OneToOneField(
        Command, null=True, on_delete=models.PROTECT, related_name="order"
    )
    position = models.ForeignKey(
        Position, null=True, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    magic_id = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=20, default="api")

    symbol = models.CharField(max_length=60)
    side = models.CharField(max_length=4, choices=Side)
    type = models.CharField(max_length=12, choices=OrderType)
    quantity = MoneyField()
    price = MoneyField(null=True)
    stop_price = MoneyField(null=True)
    time_in_force = models.CharField(max_length=4, default="gtc")
    post_only = models.BooleanField(default=False)
    reduce_only = models.BooleanField(default=False)
    is_protective = models.BooleanField(default=False)
    position_side = models.CharField(max_length=5, blank=True, default="")
    venue_reduce_only = models.BooleanField(default=False)
    leverage = models.PositiveSmallIntegerField(default=0)
    take_profit = models.CharField(max_length=40, blank=True, default="")
    stop_loss = models.CharField(max_length=40, blank=True, default="")
    trailing_stop = models.CharField(max_length=40, blank=True, default="")
    reference_price = MoneyField(null=True)
    max_slippage = MoneyField(null=True)
    not_before = models.DateTimeField(null=True)

    replaces = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="replacement"
    )
    change = models.ForeignKey(
        Command, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    wanted_price = MoneyField(null=True)
    wanted_quantity = MoneyField(null=True)
    change_sent_at = models.DateTimeField(null=True)

    client_order_id = models.CharField(max_length=64)
    exchange_order_id = models.CharField(max_length=80, blank=True, default="")
    state = models.CharField(
        max_length=16, default=states.CREATED, choices=[(name, name) for name in states.STATES]
    )
    filled_quantity = MoneyField(default=ZERO)
    average_price = MoneyField(null=True)
    overfilled = models.BooleanField(default=False)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_message = models.CharField(max_length=500, blank=True, default="")

    version = models.PositiveIntegerField(default=0)
    claim_token = models.UUIDField(null=True, editable=False)
    claimed_at = models.DateTimeField(null=True)
    is_blind = models.BooleanField(default=False, editable=False)
    fence = models.PositiveBigIntegerField(null=True, editable=False)
    send_deadline = models.DateTimeField(null=True)
    wire_at = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    not_found_count = models.PositiveSmallIntegerField(default=0)
    cancel_requested_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "client_order_id"), name="client_order_id_unique_per_account"
            ),
            models.UniqueConstraint(
                fields=("account", "book", "symbol", "exchange_order_id"),
                condition=~models.Q(exchange_order_id=""),
                name="exchange_order_id_unique_per_symbol",
            ),
            models.UniqueConstraint(
                fields=("position", "magic_id"),
                condition=models.Q(
                    reduce_only=True, is_protective=False, state__in=sorted(states.LIVE)
                ),
                name="one_close_in_flight_per_owner",
            ),
            models.UniqueConstraint(
                fields=("account", "symbol"),
                condition=models.Q(
                    is_blind=True, state__in=[states.NEEDS_OPERATOR, states.SENDING, states.UNKNOWN]
                ),
                name="one_blind_order_in_flight_per_symbol",
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0), name="order_quantity_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(filled_quantity__gte=0), name="order_filled_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(command__isnull=False) | models.Q(reason="external"),
                name="own_order_has_its_command_and_decision",
            ),
        )
        indexes = (
            models.Index(
                fields=("state", "next_attempt_at"),
                name="order_needs_work",
                condition=models.Q(
                    state__in=[
                        "CREATED",
                        "SENDING",
                        "UNKNOWN",
                        "PENDING_CANCEL",
                        "PENDING_REPLACE",
                    ]
                ),
            ),
            models.Index(fields=("account", "-id"), name="order_account_newest"),
            models.Index(
                fields=("account", "-id"),
                name="order_account_live",
                condition=models.Q(state__in=sorted(states.LIVE)),
            ),
            models.Index(fields=("account", "symbol", "state"), name="order_account_symbol_state"),
            # Most orders name neither: each index entry is written again with every state.
            models.Index(
                fields=("position",),
                name="order_of_position",
                condition=models.Q(position__isnull=False),
            ),
            models.Index(
                fields=("change",), name="order_in_change", condition=models.Q(change__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.symbol} ({self.state})"

    @property
    def seat(self) -> Account:
        """The account in the order's book, which need not be the account's own."""
        return self.account.in_book(self.book)

    @property
    def remaining(self) -> Decimal:
        """Base units not filled yet, never negative."""
        remaining: Decimal = max(self.quantity - self.filled_quantity, ZERO)
        return remaining


class OrderEvent(models.Model):
    """One change of an order's state; append-only. ``details`` holds the redacted raw answer."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events")
    old_state = models.CharField(max_length=16, blank=True, default="")
    new_state = models.CharField(max_length=16)
    cause = models.CharField(max_length=80)
    details = models.JSONField(default=dict)
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.old_state} -> {self.new_state}"
