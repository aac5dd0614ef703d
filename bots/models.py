"""Bots: named receivers of signals."""

from typing import Any

from django.db import models
from django.db.models.functions import Lower
from simple_history.models import HistoricalRecords

from accounts.models import Account
from common.addresses import is_within
from common.clock import now
from common.crypto import seal, unseal
from common.principal import Principal
from groups.models import Group

# The ways an alert can show whose it is.
TOKEN, HMAC, BODY_SECRET, CERTIFICATE = "token", "hmac", "secret", "mtls"


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
    (stored as hash), an HMAC secret (sealed, since it is needed in the clear), or the common name
    of a client certificate that the proxy in front has verified. ``allowed_addresses`` are
    addresses and networks that alerts may come from, whatever they prove; none listed: any.
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
    max_leverage = models.PositiveSmallIntegerField(
        default=1, help_text="The highest leverage that its alerts may ask for."
    )
    max_alert_age_seconds = models.PositiveIntegerField(
        default=60, help_text="Alerts whose own time is older than this are refused."
    )
    path_token_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    body_secret_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    hmac_secret_sealed = models.TextField(blank=True, default="", editable=False)
    certificate_subject = models.CharField(max_length=64, blank=True, default="", editable=False)
    allowed_addresses = models.JSONField(default=list, blank=True, editable=False)
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
                condition=~models.Q(
                    path_token_hash="",
                    body_secret_hash="",
                    hmac_secret_sealed="",
                    certificate_subject="",
                ),
                name="bot_has_a_way_to_authenticate",
            ),
            # A certificate says who sent an alert, not whose it is: with two bots of this name in
            # two organisations nobody could tell.
            models.UniqueConstraint(
                Lower("name"),
                "certificate_subject",
                condition=~models.Q(certificate_subject=""),
                name="bot_name_unique_for_certificate",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def auth_modes(self) -> tuple[str, ...]:
        """The ways its alerts can be authenticated: ``token``, ``hmac``, ``secret``, ``mtls``."""
        kept = {
            TOKEN: self.path_token_hash,
            HMAC: self.hmac_secret_sealed,
            BODY_SECRET: self.body_secret_hash,
            CERTIFICATE: self.certificate_subject,
        }
        return tuple(mode for mode, value in kept.items() if value)

    @property
    def door(self) -> tuple[Any, ...]:
        """All that decides whether an alert is let in, to see whether it was changed."""
        return (
            self.path_token_hash,
            self.hmac_secret_sealed,
            self.body_secret_hash,
            self.certificate_subject,
            self.allowed_addresses,
        )

    def admits(self, address: str) -> bool:
        """Whether alerts from this address may come in; an unknown (empty) one may where none are
        listed.
        """
        return not self.allowed_addresses or is_within(address, self.allowed_addresses)

    def set_hmac_secret(self, secret: str) -> None:
        """Seal the HMAC secret, bound to this bot's owner number."""
        self.hmac_secret_sealed = seal(secret, place=self.hmac_place) if secret else ""

    def open_hmac_secret(self) -> str:
        """The HMAC secret in the clear; raises SealError. Empty when the bot has none."""
        return (
            unseal(self.hmac_secret_sealed, place=self.hmac_place)
            if self.hmac_secret_sealed
            else ""
        )

    @property
    def hmac_place(self) -> str:
        """What its HMAC secrets are sealed to, the one in force and the one before."""
        return f"bot:{self.organisation_id}:{self.magic_id}:hmac"


class PreviousSecret(models.Model):
    """A secret of a bot that a newer one took the place of; the latest of each kind is kept.

    It is accepted beside the newer one until ``accepted_until``. Its digest or ciphertext stays
    after that, so that an alert which still shows it can be told from a forged one.
    """

    class Kind(models.TextChoices):
        TOKEN = TOKEN
        HMAC = HMAC
        BODY_SECRET = BODY_SECRET

    bot = models.ForeignKey(Bot, on_delete=models.CASCADE, related_name="previous_secrets")
    kind = models.CharField(max_length=8, choices=Kind)
    secret_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    secret_sealed = models.TextField(blank=True, default="", editable=False)
    accepted_until = models.DateTimeField()
    replaced_at = models.DateTimeField(default=now)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("bot", "kind"), name="one_previous_secret_of_a_kind"),
        )
        indexes = (models.Index(fields=("secret_hash",), name="previous_secret_by_hash"),)

    def __str__(self) -> str:
        return f"{self.bot_id} {self.kind}"

    @property
    def is_accepted(self) -> bool:
        """Whether alerts that show it are still let in."""
        return self.accepted_until > now()

    def set_hmac_secret(self, secret: str) -> None:
        """Seal an HMAC secret as the bot's own is."""
        self.secret_sealed = seal(secret, place=self.bot.hmac_place) if secret else ""

    def open_hmac_secret(self) -> str:
        """The HMAC secret in the clear; raises SealError. Empty for another kind."""
        return unseal(self.secret_sealed, place=self.bot.hmac_place) if self.secret_sealed else ""
