"""Reading the log as a client's stream: who may see which event."""

from collections.abc import Collection

from common.principal import READ, Principal

from .models import Event
from .sequencer import last_number

PAGE = 500
# A switch that names no account is thrown over all of them.
OVER_ALL = "risk"


def account_ids_of(topics: Collection[str]) -> tuple[int, ...]:
    """The accounts that an event with these topics is about."""
    return tuple(int(topic[8:]) for topic in topics if topic.startswith("account:"))


def visible(principal: Principal, event: Event) -> bool:
    """Whether an event may be shown: one of the own organisation that :func:`may_hear` allows."""
    if event.organisation_id != principal.organisation_id:
        return False
    return may_hear(principal, account_ids_of(event.topics), event.topics)


def may_hear(principal: Principal, account_ids: Collection[int], topics: Collection[str]) -> bool:
    """Whether something of the own organisation about these accounts may be shown.

    What is about accounts needs the read right on at least one of them. What is about none is for
    everybody of the organisation but callers limited to single accounts: it may speak of others.
    They hear only of the switches that stop their accounts too.
    """
    if account_ids:
        return any(principal.may(READ, account_id) for account_id in account_ids)
    return principal.account_ids is None or OVER_ALL in topics


def read_organisation(organisation_id: int, seq: int, limit: int = PAGE) -> list[Event]:
    """Up to ``limit`` events of an organisation later than ``seq``, whoever may see them."""
    return list(Event.objects.after(seq).filter(organisation_id=organisation_id)[:limit])


def bounds() -> tuple[int, int]:
    """From which number on a client can resume, and the highest number given out so far.

    A client whose last number is lower than the first has missed events that are not kept any more.
    """
    last = last_number()
    oldest = Event.objects.filter(seq__isnull=False).order_by("seq").values_list("seq", flat=True)
    return (oldest.first() or last + 1) - 1, last


def read_after(
    principal: Principal, seq: int, *, topics: Collection[str] | None = None, limit: int = PAGE
) -> tuple[list[Event], int]:
    """Up to ``limit`` visible events later than ``seq``, and the number to go on from.

    The returned number may lie beyond the last event when invisible ones were passed over. With
    ``topics`` only events that carry one of them are returned.
    """
    rows = read_organisation(principal.organisation_id, seq, limit)
    wanted = [
        row
        for row in rows
        if visible(principal, row) and (topics is None or set(topics) & set(row.topics))
    ]
    return wanted, (rows[-1].seq or seq) if rows else seq
