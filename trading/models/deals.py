"""Deals: executions as facts."""

from django.db import models

from accounts.models import Account, Book
from common.clock import now
from common.money import ZERO, MoneyField
from common.principal import Principal

from .orders import Order
from .positions import Position

MISMATCHES_THAT_BLOCK = 2


class DealQuerySet(models.QuerySet["Deal"]):
    """Selections of deals."""

    def visible_to(self, principal: Principal) -> "DealQuerySet":
        """Deals of accounts that the principal may read."""
        return self.filter(account__in=Account.objects.visible_to(principal))


class Deal(models.Model):
    """One execution. Its facts never change; only magic_id and position may, by reassignment.

    ``quantity`` is gross, in base units; ``net_quantity`` is what reached or left the position, a
    fee in the base coin counted. ``fee`` is a cost when positive, in ``fee_currency``;
    ``fee_quote`` is its value in the quote currency. ``realised`` is the result it booked, in the
    quote currency, before fees.
    """

    class Entry(models.TextChoices):
        IN = "in"
        OUT = "out"
        REVERSAL = "inout"
        OUT_BY = "out_by"

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="deals", db_index=False
    )
    book = models.CharField(max_length=10, choices=Book)
    order = models.ForeignKey(Order, null=True, on_delete=models.PROTECT, related_name="deals")
    position = models.ForeignKey(
        Position, null=True, on_delete=models.PROTECT, related_name="deals"
    )
    symbol = models.CharField(max_length=60)
    side = models.CharField(max_length=4)
    entry = models.CharField(max_length=6, choices=Entry, default=Entry.IN)
    quantity = MoneyField()
    price = MoneyField()
    fee = MoneyField(default=ZERO)
    fee_currency = models.CharField(max_length=30, blank=True, default="")
    fee_quote = MoneyField(default=ZERO)
    net_quantity = MoneyField()
    realised = MoneyField(default=ZERO)
    magic_id = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=20, default="api")
    reconciled = models.BooleanField(default=True)
    exchange_trade_id = models.CharField(max_length=100)
    executed_at = models.DateTimeField()
    created_at = models.DateTimeField(default=now, editable=False)

    objects = DealQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "book", "symbol", "exchange_trade_id"),
                name="one_deal_per_exchange_trade",
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0), name="deal_quantity_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(price__gte=0), name="deal_price_not_negative"
            ),
        )
        indexes = (
            models.Index(
                fields=("account", "symbol", "executed_at"), name="deal_account_symbol_time"
            ),
            models.Index(fields=("account", "-id"), name="deal_account_newest"),
        )

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.symbol} @ {self.price}"


class TradeCursor(models.Model):
    """How far the trades of one account and symbol have been imported (milliseconds at the
    venue).

    ``mismatch`` is how ledger and venue differed in the last poll, empty when they agreed;
    ``mismatch_count`` for how many polls in a row, and ``accepted_mismatch`` what an operator let
    pass. ``funding_ms`` is how far funding payments have been imported.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    symbol = models.CharField(max_length=60)
    since_ms = models.BigIntegerField(default=0)
    checked_at = models.DateTimeField(null=True)
    mismatch_count = models.PositiveSmallIntegerField(default=0)
    mismatch = models.CharField(max_length=200, blank=True, default="")
    accepted_mismatch = models.CharField(max_length=200, blank=True, default="")
    funding_ms = models.BigIntegerField(default=0)
    funding_checked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("account", "symbol"), name="one_cursor_per_symbol"),
        )

    def __str__(self) -> str:
        return f"{self.symbol} of account {self.account_id}"

    @property
    def blocks_entries(self) -> bool:
        """Whether the symbol is closed to entries because ledger and venue differ."""
        return self.mismatch_count >= MISMATCHES_THAT_BLOCK


class CashFlowQuerySet(models.QuerySet["CashFlow"]):
    """Selections of cash flows."""

    def visible_to(self, principal: Principal) -> "CashFlowQuerySet":
        """Those of accounts that the principal may read."""
        return self.filter(account__in=Account.objects.visible_to(principal))

    def capital(self) -> "CashFlowQuerySet":
        """Deposits and withdrawals: money that was brought or taken, no result of trading."""
        return self.filter(reason__in=(CashFlow.Reason.DEPOSIT, CashFlow.Reason.WITHDRAWAL))

    def funding(self) -> "CashFlowQuerySet":
        """Funding payments, which are part of the result."""
        return self.filter(reason=CashFlow.Reason.FUNDING)


class CashFlow(models.Model):
    """Money that came or went without an execution; ``amount`` is positive when received.

    ``value`` is the amount in the account's quote currency by the price known when it was written,
    0 without one. ``equity_before`` is what the account was worth at its last reading before a
    deposit or withdrawal, at ``read_at``; None where it had none. ``note`` is an operator's.
    """

    class Reason(models.TextChoices):
        FUNDING = "funding"
        DEPOSIT = "deposit"
        WITHDRAWAL = "withdrawal"

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="cash_flows")
    book = models.CharField(max_length=10, choices=Book)
    symbol = models.CharField(max_length=60, blank=True, default="")
    reason = models.CharField(max_length=20, choices=Reason)
    amount = MoneyField()
    currency = models.CharField(max_length=30)
    value = MoneyField(default=ZERO)
    equity_before = MoneyField(null=True)
    read_at = models.DateTimeField(null=True)
    exchange_id = models.CharField(max_length=100)
    note = models.CharField(max_length=200, blank=True, default="")
    executed_at = models.DateTimeField()
    created_at = models.DateTimeField(default=now, editable=False)

    objects = CashFlowQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "book", "reason", "symbol", "exchange_id"),
                name="one_cash_flow_per_exchange_id",
            ),
        )
        indexes = (models.Index(fields=("account", "executed_at"), name="cash_flow_account_time"),)

    def __str__(self) -> str:
        return f"{self.reason} {self.amount} {self.currency}"


class TransferCursor(models.Model):
    """How far deposits and withdrawals of an account have been imported (milliseconds at the
    venue), and why they could not be read last, empty when they could.
    """

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    since_ms = models.BigIntegerField(default=0)
    checked_at = models.DateTimeField()
    error = models.CharField(max_length=60, blank=True, default="")

    def __str__(self) -> str:
        return f"transfers of account {self.account_id}"
