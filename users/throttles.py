"""How often somebody may try a password: asked before the password is looked at.

Failures are counted per (user, address) and per address. Past the limit each further failure
doubles the pause before the next attempt. Nothing is counted per user alone: that would let an
attacker lock somebody else out. An attempt takes its place before the hash is computed, so that a
thousand at once get no further than a few; one that succeeds gives the place back at once and
clears the user's own count. Requests for reset mails are counted per address alike. Rows in the
database, so that all processes count together and a restart forgets nothing.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from common.addresses import place_of
from common.clock import now
from common.errors import TooMany
from common.ids import digest

from .models import LoginThrottle

FORGET_AFTER = timedelta(minutes=30)
# An attempt that was let in and never judged (its process died) gives its place back.
PENDING_AT_MOST = timedelta(seconds=30)
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=15)
# Requests for a reset mail that an address may make before it has to pause.
FREE_RESETS = 20
PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.05
# Attempts of this process for one user at one address stand in line: only the first asks the
# database. Fewer lines than users: sharing one costs a moment, no more.
_LINES = [threading.Lock() for _ in range(256)]
MESSAGE = "Too many failed attempts. Wait before you try again."
TOO_MANY_RESETS = "Too many requests from this address. Wait before you try again."


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures are free under a key."""

    key: str
    free: int


def _limits(subject: str, address: str) -> tuple[Limit, ...]:
    """The keys in the order in which their rows are locked."""
    place = place_of(address)
    return (Limit(f"a:{place}", 100), Limit(f"u:{digest(f'{subject}@{place}')}", 5))


class Attempt:
    """One attempt under way; a failure unless it is told that it succeeded."""

    def __init__(self) -> None:
        self.succeeded = False


@contextmanager
def login_attempt(subject: str, address: str) -> Iterator[Attempt]:
    """Let an attempt in or raise TooMany; ``subject`` names the user, known or not.

    Waits up to ``PATIENCE_SECONDS`` while the free places are taken by attempts under way, so that
    many good log-ins at once all pass. Neither the waiting nor the attempt itself holds a
    connection of the database's pool, unless the caller is in a transaction.
    """
    limits = _limits(subject, address)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    _give_connection_back()
    line = _LINES[hash(limits[-1].key) % len(_LINES)]
    if not line.acquire(timeout=PATIENCE_SECONDS):
        raise TooMany(MESSAGE, retry_after=1, code="too_many_attempts")
    try:
        _await_place(limits, give_up_at)
    finally:
        line.release()
        _give_connection_back()
    attempt = Attempt()
    try:
        yield attempt
    finally:
        _judge(limits, succeeded=attempt.succeeded)


def _await_place(limits: tuple[Limit, ...], give_up_at: float) -> None:
    while (wait := _blocked_for(limits) or _enter(limits)) is not None:
        if wait or time.monotonic() > give_up_at:
            raise TooMany(MESSAGE, retry_after=wait or 1, code="too_many_attempts")
        _give_connection_back()
        time.sleep(POLL_SECONDS)


def _blocked_for(limits: tuple[Limit, ...]) -> float:
    """Seconds to wait as far as a look without a lock can tell; spares a crowd the locks."""
    rows = LoginThrottle.objects.filter(key__in=[limit.key for limit in limits])
    moment = now()
    return max((_seconds_blocked(row, moment) for row in rows), default=0.0)


def _give_connection_back() -> None:
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()


@transaction.atomic
def admit_reset(address: str) -> None:
    """Count a request for a reset mail against its address, whomever it names; raises TooMany."""
    moment = now()
    limit = Limit(f"r:{place_of(address)}", FREE_RESETS)
    row = _locked(limit, moment)
    if (wait := _seconds_blocked(row, moment)) > 0:
        raise TooMany(TOO_MANY_RESETS, retry_after=wait)
    _count_failure(limit, row, moment)
    row.changed_at = moment
    row.save()


@transaction.atomic
def _enter(limits: tuple[Limit, ...]) -> float | None:
    """Take a place under every key. None: taken; 0: all are in use; else seconds to wait."""
    moment = now()
    rows = [_locked(limit, moment) for limit in limits]
    for limit, row in zip(limits, rows, strict=True):
        if (blocked := _seconds_blocked(row, moment)) > 0:
            return blocked
        free = limit.free - row.failures
        if row.pending >= max(free, 1):
            return 0.0
    for row in rows:
        row.pending += 1
        row.changed_at = moment
    LoginThrottle.objects.bulk_update(rows, ["failures", "pending", "blocked_until", "changed_at"])
    return None


def _locked(limit: Limit, moment: datetime) -> LoginThrottle:
    row, _ = LoginThrottle.objects.select_for_update().get_or_create(
        key=limit.key, defaults={"changed_at": moment}
    )
    if moment - row.changed_at > FORGET_AFTER:
        row.failures, row.blocked_until = 0, None
    if moment - row.changed_at > PENDING_AT_MOST:
        row.pending = 0
    return row


@transaction.atomic
def _judge(limits: tuple[Limit, ...], *, succeeded: bool) -> None:
    moment = now()
    for limit in limits:
        row = _locked(limit, moment)
        row.pending = max(row.pending - 1, 0)
        if not succeeded:
            _count_failure(limit, row, moment)
        elif limit.key.startswith("u:"):
            row.failures, row.blocked_until = 0, None
        row.changed_at = moment
        row.save()


def _seconds_blocked(row: LoginThrottle, moment: datetime) -> float:
    if row.blocked_until is None:
        return 0.0
    return max((row.blocked_until - moment).total_seconds(), 0.0)


def _count_failure(limit: Limit, row: LoginThrottle, moment: datetime) -> None:
    row.failures += 1
    beyond = row.failures - limit.free
    pause = min(FIRST_PAUSE * 2 ** min(max(beyond, 0), 10), LONGEST_PAUSE)
    row.blocked_until = None if beyond < 0 else moment + pause


def failures_of(subject: str, address: str) -> int:
    """How many failures stand against a user at an address; for the console and tests."""
    key = _limits(subject, address)[1].key
    row = LoginThrottle.objects.filter(key=key).first()
    return row.failures if row else 0


def forget_old() -> int:
    """Drop rows that mean nothing any more; returns how many."""
    return LoginThrottle.objects.filter(changed_at__lt=now() - FORGET_AFTER * 2).delete()[0]
