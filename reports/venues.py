"""How the venues of somebody's accounts do: switched off, unread, streaming."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q

from accounts.models import Account, StreamStatus
from common.principal import Principal
from riskmgmt.models import VenueState


@dataclass(frozen=True, slots=True)
class VenueHealth:
    """A venue: ``is_open`` as of a circuit breaker (open: no entry is sent there), with the
    operator's ``reason``; of the reader's accounts there, how many could not be read last and how
    many have a live stream.
    """

    venue: str
    is_open: bool
    reason: str
    accounts: int
    failures: int
    streaming: int


def venues_of(principal: Principal) -> list[VenueHealth]:
    """The venues of the accounts that the principal may read, by name."""
    accounts = Account.objects.visible_to(principal)
    live = StreamStatus.objects.healthy().values("account")
    grouped = accounts.order_by("venue").values_list("venue")
    found = list(
        grouped.annotate(
            count=Count("pk"),
            failures=Count("pk", filter=~Q(sync_error="")),
            streaming=Count("pk", filter=Q(pk__in=live)),
        )
    )
    off = _switched_off(venue for venue, *_ in found)
    return [
        VenueHealth(venue, venue in off, off.get(venue, ""), count, failures, streaming)
        for venue, count, failures, streaming in found
    ]


def _switched_off(venues: Iterable[str]) -> dict[str, str]:
    """Those that orders may not be sent to, and why."""
    states = VenueState.objects.filter(venue__in=set(venues), is_enabled=False)
    return dict(states.values_list("venue", "reason"))
