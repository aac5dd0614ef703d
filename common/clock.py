"""Time: aware UTC datetimes inside, milliseconds since the epoch at the exchanges' border, people's
time zones by their IANA names.
"""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import Invalid


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


def zone_named(name: str) -> ZoneInfo:
    """An IANA time zone; raises Invalid naming the parameter ``time_zone``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            "There is no such time zone.",
            fields={"time_zone": "must be an IANA name such as Europe/Warsaw"},
        ) from error
