"""Time: aware UTC datetimes inside, milliseconds since the epoch at the exchanges' border."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current moment, aware, UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """Milliseconds since the epoch by this machine's wall clock."""
    return time.time_ns() // 1_000_000


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware datetime, rounded down."""
    return int(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC datetime of milliseconds since the epoch."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
