"""How values look in the answers of the dialects that show JSON numbers."""

from datetime import datetime
from decimal import Decimal

from common.clock import iso


def number(value: Decimal | None) -> float | None:
    """Money as the JSON number that 001 to 004 show."""
    return None if value is None else float(value)


def told_number(text: str | None) -> float | None:
    """The same for money as the log tells it, which is text."""
    return None if text is None else number(Decimal(text))


def moment(value: datetime | None) -> str | None:
    """A time in UTC, null for none."""
    return None if value is None else iso(value)
