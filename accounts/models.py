"""Exchange accounts and what belongs to them."""

import copy
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from common.clock import now
from common.crypto import seal, unseal
from common.money import ZERO, MoneyField
from common.principal import Principal


class Book(models.TextChoices):
    """Which money a ledger row is about; books are never mixed."""

    PAPER = "paper", "paper: our own fills on a real price"
    SHADOW = "shadow", "shadow: everything but the send"
    REHEARSAL = "rehearsal", "rehearsal: a testnet or a declared venue"
    LIVE = "live", "live: real money"


class AccountQuerySet(models.QuerySet["Account"]):
    """Which accounts may be seen and used."""

    def visible_to(self, principal: Principal) -> "AccountQuerySet":
        """The accounts a principal may read; the only way a surface reaches account rows."""
        rows = self.filter(organisation_id=principal.organisation_id, deleted_at=None)
        if principal.account_ids is not None:
            rows = rows.filter(pk__in=principal.account_ids)
        return rows

    def usable(self) -> "AccountQuerySet":
        """Accounts that orders may be sent for."""
        return self.filter(status=Account.Status.ACTIVE, deleted_at=None)


CCXT_NAMES = {"apiKey": "api_key", "secret": "api_secret", "password": "passphrase"}


class Account(models.Model):
    """One account at a venue.

    ``venue`` names a ccxt id or a declared venue; ``pinned_address`` is where the venue pointed
    when the account was made, and a change suspends it. ``position_mode`` is ours;
    ``venue_position_mode`` is what the venue said last of a derivatives account;
    ``dead_man_seconds`` is the venue's countdown to cancelling its orders when nothing is heard of
    us (0: switched off); ``venue_identity`` is the number of the account at its venue, as the key
    told it first; ``is_shared`` says that another account may use the same key. Money columns are
    in ``quote_currency``. The three sealed columns are write-only outside the workers.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        DISABLED = "disabled"

    class PositionMode(models.TextChoices):
        NETTING = "netting"
        HEDGE = "hedge"

    class MarketType(models.TextChoices):
        SPOT = "spot"
        SWAP = "swap"

    class VenueMode(models.TextChoices):
        ONE_WAY = "one_way"
        HEDGE = "hedge"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    name = models.CharField(max_length=80)
    venue = models.CharField(max_length=60)
    pinned_address = models.CharField(max_length=400, blank=True, default="", editable=False)
    market_type = models.CharField(max_length=10, choices=MarketType, default=MarketType.SPOT)
    is_testnet = models.BooleanField(default=False)
    book = models.CharField(max_length=10, choices=Book, default=Book.PAPER)
    position_mode = models.CharField(
        max_length=8, choices=PositionMode, default=PositionMode.NETTING
    )
    venue_position_mode = models.CharField(
        max_length=8, choices=VenueMode, blank=True, default="", editable=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    status_reason = models.CharField(max_length=200, blank=True, default="")
    api_key_sealed = models.TextField(blank=True, default="", editable=False)
    api_secret_sealed = models.TextField(blank=True, default="", editable=False)
    passphrase_sealed = models.TextField(blank=True, default="", editable=False)
    key_fingerprint = models.CharField(max_length=64, blank=True, default="", editable=False)
    key_hint = models.CharField(max_length=8, blank=True, default="", editable=False)
    credentials_version = models.PositiveIntegerField(default=1, editable=False)
    quote_currency = models.CharField(max_length=10, default="USDT")
    max_leverage = models.PositiveSmallIntegerField(default=1)
    dead_man_seconds = models.PositiveSmallIntegerField(default=0, editable=False)
    initial_balance = MoneyField(default=ZERO)
    balance = MoneyField(default=ZERO, help_text="Free and locked quote currency at the venue.")
    equity = MoneyField(default=ZERO, help_text="All holdings valued in the quote currency.")
    equity_at = models.DateTimeField(null=True, editable=False)
    synced_at = models.DateTimeField(null=True, editable=False)
    sync_error = models.CharField(max_length=300, blank=True, default="", editable=False)
    next_poll_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    venue_identity = models.CharField(max_length=60, blank=True, default="", editable=False)
    is_shared = models.BooleanField(default=False, editable=False)
    is_view = False

    objects = AccountQuerySet.as_manager()
    history = HistoricalRecords(
        excluded_fields=[
            "api_key_sealed",
            "api_secret_sealed",
            "passphrase_sealed",
            "key_fingerprint",
            "balance",
            "equity",
            "equity_at",
            "synced_at",
            "sync_error",
            "next_poll_at",
        ],
        related_name="+",
    )

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("organisation", "name"),
                condition=models.Q(deleted_at=None),
                name="account_name_unique_in_organisation",
            ),
            models.UniqueConstraint(
                fields=("organisation", "venue", "key_fingerprint"),
                condition=models.Q(deleted_at=None, is_shared=False)
                & ~models.Q(key_fingerprint=""),
                name="exchange_key_used_once_in_organisation",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.venue})"

    @property
    def kept_position_mode(self) -> str:
        """How positions are kept where the orders of its book go: a book of our own nets, else as
        the venue said last (empty: not yet).
        """
        if self.book in (Book.PAPER, Book.SHADOW):
            return self.VenueMode.ONE_WAY.value
        return str(self.venue_position_mode)

    def in_book(self, book: str) -> "Account":
        """The account as its orders in a book see it: itself, or a view that is never saved."""
        if book == self.book:
            return self
        view = copy.copy(self)
        view.book, view.is_view = book, True
        return view

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As usual; a view from :meth:`in_book` is a TypeError."""
        if self.is_view:
            raise TypeError("a view of an account is never saved")
        super().save(*args, **kwargs)

    def set_secret(self, column: str, secret: str) -> None:
        """Seal one of api_key, api_secret, passphrase into its column, bound to this row."""
        setattr(self, f"{column}_sealed", seal(secret, place=self._place(column)) if secret else "")

    def open_secret(self, column: str) -> str:
        """Unseal one of api_key, api_secret, passphrase; raises SealError. For workers only."""
        sealed = getattr(self, f"{column}_sealed")
        return unseal(sealed, place=self._place(column)) if sealed else ""

    def open_credentials(self) -> dict[str, str]:
        """The credentials by ccxt's names; raises SealError. For workers, and for whoever just
        entered them.
        """
        opened = {name: self.open_secret(column) for name, column in CCXT_NAMES.items()}
        return {name: secret for name, secret in opened.items() if secret}

    def _place(self, column: str) -> str:
        return f"account:{self.uuid}:{column}"


class Balance(models.Model):
    """What an account holds of one currency, as last read from its venue."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="balances")
    currency = models.CharField(max_length=30)
    free = MoneyField(default=ZERO)
    used = MoneyField(default=ZERO)
    at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("account", "currency"), name="balance_once_per_currency"
            ),
        )

    def __str__(self) -> str:
        return f"{self.currency} of account {self.account_id}"

    @property
    def total(self) -> Decimal:
        """Free plus locked."""
        total: Decimal = self.free + self.used
        return total


class EquityPoint(models.Model):
    """Equity and quote balance of an account at a moment, for the equity line of its book.

    The first of each quarter of an hour carries its number (whole quarters since the epoch) and is
    kept for ever: figures are made of these alone. The others go after two days.
    """

    SECONDS_PER_QUARTER = 900

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    book = models.CharField(max_length=10, choices=Book)
    at = models.DateTimeField()
    equity = MoneyField()
    balance = MoneyField()
    quarter = models.BigIntegerField(null=True, editable=False)

    class Meta:
        indexes = (
            models.Index(fields=("account", "-at"), name="equity_account_newest"),
            models.Index(
                fields=("at",), name="equity_to_thin_out", condition=models.Q(quarter=None)
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("account", "book", "quarter"), name="one_equity_point_kept_per_quarter"
            ),
        )

    def __str__(self) -> str:
        return f"{self.equity} at {self.at}"

    @classmethod
    def quarter_of(cls, moment: datetime) -> int:
        """The number of the quarter of an hour that a moment lies in."""
        return int(moment.timestamp()) // cls.SECONDS_PER_QUARTER


class StreamStatusQuerySet(models.QuerySet["StreamStatus"]):
    """Selections of stream states."""

    def healthy(self) -> "StreamStatusQuerySet":
        """Streams that told or could have told within the last seconds."""
        return self.filter(
            state=StreamStatus.State.LIVE, seen_at__gte=now() - StreamStatus.FRESH_FOR
        )


class StreamStatus(models.Model):
    """How an account's private stream does, as the process that holds it wrote last.

    ``seen_at`` is when that was: a row that grows old is nobody's any more. ``told_at`` is when the
    stream last told an order or a trade. ``distrusted_at`` is when a poll found what the stream
    should have told; its holder then makes a new one.
    """

    class State(models.TextChoices):
        CONNECTING = "connecting"
        LIVE = "live"
        DOWN = "down"
        OFF = "off"

    FRESH_FOR = timedelta(seconds=15)

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="stream"
    )
    state = models.CharField(max_length=10, choices=State, default=State.OFF)
    error = models.CharField(max_length=60, blank=True, default="")
    reconnects = models.PositiveIntegerField(default=0)
    connected_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    distrusted_at = models.DateTimeField(null=True)

    objects = StreamStatusQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "stream statuses"

    def __str__(self) -> str:
        return f"stream of account {self.account_id}: {self.shown_state}"

    @property
    def is_fresh(self) -> bool:
        """Whether somebody holds the stream."""
        return bool(self.seen_at and now() - self.seen_at < self.FRESH_FOR)

    @property
    def is_live(self) -> bool:
        """Whether it tells what happens, now."""
        return self.state == self.State.LIVE and self.is_fresh

    @property
    def shown_state(self) -> str:
        """The state, or ``off`` when its holder has gone silent."""
        return str(self.state) if self.is_fresh else self.State.OFF.value


class AccountGrant(models.Model):
    """Rights of one user on one account, on top of the role."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    can_read = models.BooleanField(default=True)
    can_trade = models.BooleanField(default=False)
    can_manage_risk = models.BooleanField(default=False)
    can_trade_live = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("account", "user"), name="one_grant_per_account_and_user"
            ),
        )

    def __str__(self) -> str:
        return f"user {self.user_id} on account {self.account_id}"
