"""Which accounts the poll asks for, when, and how many of a venue at once."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.models import Account, StreamStatus
from common.clock import now

POLLS_PER_SECOND = 8
BALANCE_AGE_SHARE = 0.4
LARGEST = 50
# A round should take no longer; one that takes less than half of it may grow.
ROUND_SECONDS = 5.0


class RoundSizes:
    """By venue, as many accounts as it answers for within seconds: at a venue that takes a request
    a second, questions for fifty accounts at once would all time out.
    """

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def of(self, venue: str) -> int:
        """How many accounts the next round asks for."""
        return self._sizes.get(venue, LARGEST)

    def took(self, venue: str, accounts: int, seconds: float) -> None:
        """Learn from a round for so many accounts."""
        if seconds > ROUND_SECONDS:
            self._sizes[venue] = max(1, int(accounts * ROUND_SECONDS / seconds))
        elif seconds < ROUND_SECONDS / 2:
            self._sizes[venue] = min(LARGEST, 2 * self.of(venue))


def due_venues() -> list[str]:
    """The venues with accounts whose time has come."""
    return sorted(due_now(now()).order_by().values_list("venue", flat=True).distinct())


def due_now(moment: datetime) -> QuerySet[Account]:
    """The accounts whose time has come."""
    is_due = Q(next_poll_at=None) | Q(next_poll_at__lte=moment)
    found = Account.objects.filter(is_due, deleted_at=None)
    return found.exclude(status=Account.Status.DISABLED)


def streamed_among(accounts: Sequence[Account]) -> set[int]:
    """Those whose streams tell what happens."""
    healthy = StreamStatus.objects.healthy()
    rows = healthy.filter(account__in=[account.pk for account in accounts])
    return set(rows.values_list("account_id", flat=True))


def pause_now() -> float:
    """Seconds until an account without a stream is polled again, by how many there are."""
    return pause_among(Account.objects.filter(deleted_at=None).count())


def pause_among(accounts: int) -> float:
    """Seconds until one of so many accounts, without a stream, is polled again: the more there are,
    the longer, but never so long that one failed poll makes a balance too old to trade on.
    """
    longest = settings.BALANCE_MAX_AGE_SECONDS * BALANCE_AGE_SHARE
    return max(min(accounts / POLLS_PER_SECOND, longest), settings.RECONCILE_SECONDS)
