"""Loading and saving paper books; blocking, called from the gateway's database thread."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django.db.models import F

from .models import PaperBook
from .paper import BookChanged
from .protocol import VenueBalance


class PaperStore:
    """One account's stored book, guarded against a second process that writes it."""

    def __init__(self, account_id: int, book: str = "paper") -> None:
        self._place: dict[str, Any] = {"account_id": account_id, "book": book}
        self._version = 0

    def load(self) -> dict[str, Any] | None:
        """The stored state, or None for a new paper account."""
        row, _ = PaperBook.objects.get_or_create(**self._place)
        self._version = row.version
        return row.state or None

    def is_current(self) -> bool:
        """Whether nobody stored another state since our last load or save."""
        return PaperBook.objects.filter(**self._place, version=self._version).exists()

    def save(self, state: dict[str, Any]) -> None:
        """Store the state; raises BookChanged when another process stored one since the load."""
        changed = PaperBook.objects.filter(**self._place, version=self._version).update(
            state=state, version=F("version") + 1
        )
        if not changed:
            raise BookChanged("the paper book was changed by another process")
        self._version += 1


def stored_balances(account_ids: Collection[int], book: str) -> dict[int, dict[str, VenueBalance]]:
    """What the stored books of these accounts hold, by account and currency; one query. An account
    that never used the book is left out.
    """
    rows = PaperBook.objects.filter(account_id__in=account_ids, book=book)
    held: dict[int, dict[str, VenueBalance]] = {}
    for account_id, wallets in rows.values_list("account_id", "state__book__wallets"):
        held[account_id] = {
            currency: VenueBalance(currency, Decimal(free), Decimal(used))
            for _, currency, free, used in wallets or ()
        }
    return held
