"""Owner numbers: each bot and strategy gets one of its own within the organisation."""

from django.db import transaction

from common.errors import Invalid
from trading.models import MagicCounter

FIRST_OWN = 1_000_000


def is_known_owner(organisation_id: int, magic_id: int) -> bool:
    """Whether the number is a caller's own, up to 1,000,000, or one given out by us."""
    counter = MagicCounter.objects.filter(organisation_id=organisation_id).first()
    return 0 <= magic_id <= max(FIRST_OWN, counter.last if counter else 0)


def demand_known_owner(organisation_id: int, magic_id: int) -> None:
    """Raise Invalid ``unknown_owner`` for a number that is nobody's to use: one of our own range
    that was not given out yet.
    """
    if not is_known_owner(organisation_id, magic_id):
        raise Invalid(
            "There is no such owner.",
            code="unknown_owner",
            fields={"magic_id": "was not given out in this organisation"},
        )


@transaction.atomic
def new_magic_id(*, organisation_id: int) -> int:
    """The next owner number of the organisation, above 1,000,000; never given out twice."""
    counter, _ = MagicCounter.objects.select_for_update(no_key=True).get_or_create(
        organisation_id=organisation_id, defaults={"last": FIRST_OWN}
    )
    counter.last += 1
    counter.save(update_fields=["last"])
    return counter.last
