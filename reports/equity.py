"""Readings of several accounts at different moments, brought onto one line."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

Value = TypeVar("Value")


def carried_forward(
    points: Sequence[tuple[int, datetime, Value]],
) -> Iterator[tuple[datetime, list[Value]]]:
    """For each point (account, moment, value), oldest first, the newest value of every account.

    Begins where every account that has points among these has had its first.
    """
    expected = {account_id for account_id, _, _ in points}
    latest: dict[int, Value] = {}
    for account_id, at, value in points:
        latest[account_id] = value
        if len(latest) == len(expected):
            yield at, list(latest.values())
