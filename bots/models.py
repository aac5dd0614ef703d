"""Bots: named receivers of signals."""

from django.db import models
from django.db.models.functions import Lower
from simple_history.models import HistoricalRecords

from accounts.models import Account
from common.crypto import seal, unseal
from common.principal import Principal
from groups.models import Group

# The ways an alert can show whose it is.
TOKEN, HMAC, BODY_SECRET = "token", "hmac", "secret"


class BotQuerySet(models.QuerySet["Bot"]):
    """Which bots may be seen."""

    def visible_to(self, principal: Principal) -> "BotQuerySet":
        """Bots of the principal's organisation, limited to those reaching an account it may
        read.
        """
        rows = self.filter(organisation_id=principal.organisation_id)
        if principal.account_ids is not None:
            reachable = models.Q(accounts__in=principal.account_ids) | models.Q(
                groups__accounts__in=principal.account_ids
            )
            rows = rows.filter(reachable).distinct()
        return rows


class Bot(models.Model):
    """A signal destination and the accounts and groups it reaches.

    ACTIVE executes; PAUSED refuses entries and lets exits through; STOPPED records and refuses
    everything. At least one way of authenticating its alerts is set: a path token or body secret
    (stored as hash), or an HMAC secret (sealed, since it is needed in the clear).
    """

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE"
        PAUSED = "PAUSED"
        STOPPED = "STOPPED"

    class Timeframe(models.TextChoices):
        M1 = "1m"
        M5 = "5m"
        M15 = "15m"
        H1 = "1h"
        H6 = "6h"
        D1 = "1d"
        D3 = "3d"

    organisation = models.ForeignKey(
        "users.Organisation", on_delete=models.PROTECT, related_name="+"
    )
    name = models.CharField(max_length=60)
    base_name = models.CharField(max_length=60, blank=True, default="")
    timeframe = models.CharField(max_length=3, choices=Timeframe, default=Timeframe.H1)
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    magic_id = models.BigIntegerField(editable=False)
    market_type = models.CharField(max_length=10, default="spot")
    max_leverage = models.PositiveSmallIntegerField(
        default=1, help_text="The highest leverage that its alerts may ask for."
    )
    max_alert_age_seconds = models.PositiveIntegerField(
        default=60, help_text="Alerts whose own time is older than this are refused."
    )
    path_token_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    body_secret_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    hmac_secret_sealed = models.TextField(blank=True, default="", editable=False)
    accounts = models.ManyToManyField(Account, blank=True, related_name="bots")
    groups = models.ManyToManyField(Group, blank=True, related_name="bots")
    signals_total = models.PositiveIntegerField(default=0, editable=False)
    signals_succeeded = models.PositiveIntegerField(default=0, editable=False)
    signals_failed = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BotQuerySet.as_manager()
    history = HistoricalRecords(
        excluded_fields=[
            "path_token_hash",
            "body_secret_hash",
            "hmac_secret_sealed",
            "signals_total",
            "signals_succeeded",
            "signals_failed",
        ],
        related_name="+",
    )

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                "organisation", Lower("name"), name="bot_name_unique_in_organisation"
            ),
            models.UniqueConstraint(
                fields=("organisation", "magic_id"), name="bot_magic_unique_in_organisation"
            ),
            models.UniqueConstraint(
                fields=("path_token_hash",),
                condition=~models.Q(path_token_hash=""),
                name="bot_path_token_unique",
            ),
            models.CheckConstraint(
                condition=~models.Q(path_token_hash="", body_secret_hash="", hmac_secret_sealed=""),
                name="bot_has_a_way_to_authenticate",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def auth_modes(self) -> tuple[str, ...]:
        """The ways its alerts can be authenticated: ``token``, ``hmac``, ``secret``."""
        kept = {
            TOKEN: self.path_token_hash,
            HMAC: self.hmac_secret_sealed,
            BODY_SECRET: self.body_secret_hash,
        }
        return tuple(mode for mode, value in kept.items() if value)

    def set_hmac_secret(self, secret: str) -> None:
        """Seal the HMAC secret, bound to this bot's owner number."""
        self.hmac_secret_sealed = seal(secret, place=self._place()) if secret else ""

    def open_hmac_secret(self) -> str:
        """The HMAC secret in the clear; raises SealError. Empty when the bot has none."""
        return (
            unseal(self.hmac_secret_sealed, place=self._place()) if self.hmac_secret_sealed else ""
        )

    def _place(self) -> str:
        return f"bot:{self.organisation_id}:{self.magic_id}:hmac"
