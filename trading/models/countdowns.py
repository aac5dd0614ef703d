"""Dead man's switches at the venues, as we know them."""

from django.db import models

from accounts.models import Account
from common.clock import now
from common.principal import Principal


class VenueCountdownQuerySet(models.QuerySet["VenueCountdown"]):
    """Selections of countdowns."""

    def visible_to(self, principal: Principal) -> "VenueCountdownQuerySet":
        """Those of accounts that the principal may read."""
        return self.filter(account__in=Account.objects.visible_to(principal))

    def running(self) -> "VenueCountdownQuerySet":
        """Those that may still run at their venues."""
        return self.filter(may_run_until__isnull=False)


class VenueCountdown(models.Model):
    """The countdown of an account at its venue, of one symbol (empty: of the whole account).

    ``seconds`` is what the venue last confirmed (0: stopped), at ``told_at``. ``may_run_until`` is
    written before the venue is told: the moment until which it may cancel orders unless told
    again, None where it is known not to. ``is_held_back`` says that the countdown is not started,
    although the account wants it, because a stop order rests that it would cancel. ``error`` and
    ``failures`` are of the last tries in a row that did not come through, the next one not before
    ``next_at``.
    """

    class State(models.TextChoices):
        OFF = "off"
        ARMED = "armed"
        HELD_BACK = "held_back"
        FAILING = "failing"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="countdowns")
    symbol = models.CharField(max_length=60, blank=True, default="")
    seconds = models.PositiveSmallIntegerField(default=0)
    told_at = models.DateTimeField(null=True)
    may_run_until = models.DateTimeField(null=True)
    is_held_back = models.BooleanField(default=False)
    error = models.CharField(max_length=60, blank=True, default="")
    failures = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=now)

    objects = VenueCountdownQuerySet.as_manager()

    class Meta:
        ordering = ("account_id", "symbol")
        constraints = (
            models.UniqueConstraint(
                fields=("account", "symbol"), name="one_countdown_per_account_and_symbol"
            ),
        )
        indexes = (
            models.Index(
                fields=("account",),
                name="countdown_running",
                condition=models.Q(may_run_until__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"countdown of account {self.account_id} {self.symbol}: {self.state}"

    @property
    def is_armed(self) -> bool:
        """Whether the venue confirmed a countdown that has not run out."""
        return bool(self.seconds and self.may_run_until and self.may_run_until > now())

    @property
    def state(self) -> str:
        """How it stands, in one word."""
        if self.failures:
            return self.State.FAILING.value
        if self.is_held_back:
            return self.State.HELD_BACK.value
        return self.State.ARMED.value if self.is_armed else self.State.OFF.value

    @property
    def word(self) -> str:
        """The state as a person reads it."""
        return self.state.replace("_", " ")
