"""How often somebody may call: per address, per user, per organisation, in sliding minutes.

An address is counted before anything is looked up, a user and its organisation once they are known.
What makes things safer (closing, cancelling, stopping) and the opening of streams have counts of
their own, so that somebody at the limit can still stop. The counts are shared by all processes:
in Redis by one script for each, in embedded mode in the memory of the one process. A Redis that
does not answer limits nobody's trade: for a while each process counts for itself.
"""

import logging
import threading
import time
from enum import Enum
from functools import lru_cache

import redis
from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from common.addresses import place_of
from common.errors import TooMany
from common.principal import Principal

logger = logging.getLogger(__name__)

MESSAGE = "Too many requests. Slow down and try again."
REDIS_SECONDS = 0.5
ALONE_SECONDS = 5.0


class Bucket(Enum):
    """What is counted together."""

    CALLS = "calls"
    SAFETY = "safety"
    STREAMS = "streams"
    FORGERIES = "forgeries"


class _Counts:
    """The counts, in Redis where there is one, else or meanwhile in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared: SlidingWindowCounterRateLimiter | None = None
        self._alone_until = 0.0
        if settings.REDIS_URL is not None:
            timeouts = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
            storage = RedisStorage(settings.REDIS_URL, key_prefix="rate", **timeouts)  # type: ignore[arg-type]
            self._shared = SlidingWindowCounterRateLimiter(storage)

    def take(self, item: RateLimitItemPerMinute, *who: str) -> float | None:
        """Count one call. None: it may go on; else how many seconds to wait."""
        if self._shared is not None and time.monotonic() >= self._alone_until:
            try:
                return _taken(self._shared, item, who)
            except redis.RedisError as error:
                self._alone_until = time.monotonic() + ALONE_SECONDS
                logger.warning("rate limits are counted alone: %s", type(error).__name__)
        with self._lock:
            return _taken(self._own, item, who)


def _taken(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, who: tuple[str, ...]
) -> float | None:
    if limiter.hit(item, *who):
        return None
    return max(limiter.get_window_stats(item, *who).reset_time - time.time(), 1.0)


_making = threading.Lock()


@lru_cache(maxsize=1)
def _made() -> _Counts:
    return _Counts()


def _counts() -> _Counts:
    """The counts of this process, made once even where several ask first."""
    with _making:
        return _made()


def forget() -> None:
    """Begin anew with nothing counted in memory; for tests."""
    _made.cache_clear()


def admit_address(address: str, bucket: Bucket | None) -> None:
    """Count a call from an address, whoever it is; raises TooMany. None is not counted."""
    if bucket is not None:
        _admit(
            bucket, _limit(bucket, settings.ADDRESS_RATE_LIMIT_PER_MIN), f"a:{place_of(address)}"
        )


def admit_caller(principal: Principal, bucket: Bucket | None) -> None:
    """Count a call of a user, by whatever credential, and of its organisation; raises TooMany."""
    if bucket is None:
        return
    _admit(bucket, _limit(bucket, settings.USER_RATE_LIMIT_PER_MIN), f"u:{principal.user_id}")
    if bucket is Bucket.CALLS:
        organisation = f"o:{principal.organisation_id}"
        _admit(bucket, settings.ORG_RATE_LIMIT_PER_MIN, organisation)


def note_forgery(address: str) -> None:
    """Count an alert that was not authentic against its address; raises TooMany beyond the limit.
    Asked after the alert was judged, so that nobody can use up what others send from there.
    """
    _admit(Bucket.FORGERIES, settings.WEBHOOK_FAILURES_PER_MIN, f"a:{place_of(address)}")


def begins_burst(subject: str, *, at_once: bool = False) -> bool:
    """Count one more failure of a subject: whether it is to be told now, as one of more than
    ``WEBHOOK_FAILURE_BURST`` within a minute or ``at_once``, and at most once a minute.
    """
    burst = settings.WEBHOOK_FAILURE_BURST
    if not burst:
        return False
    counts, bucket = _counts(), Bucket.FORGERIES.value
    if not at_once and counts.take(RateLimitItemPerMinute(burst), bucket, subject) is None:
        return False
    return counts.take(RateLimitItemPerMinute(1), f"{bucket} told", subject) is None


def _limit(bucket: Bucket, calls: int) -> int:
    if bucket is Bucket.SAFETY:
        return int(settings.SAFETY_RATE_LIMIT_PER_MIN)
    return int(settings.STREAM_RATE_LIMIT_PER_MIN) if bucket is Bucket.STREAMS else calls


def _admit(bucket: Bucket, limit: int, who: str) -> None:
    if not limit:
        return
    wait = _counts().take(RateLimitItemPerMinute(limit), bucket.value, who)
    if wait is not None:
        raise TooMany(MESSAGE, retry_after=wait)
