"""A request budget per venue and this machine's address, and the ban a venue may impose."""

import asyncio
import time

PATIENT_SHARE = 0.25


class VenueLimiter:
    """A token bucket on the gateway's loop that honours bans.

    ``rate`` is requests per second, ``burst`` how many may go at once. Half of the burst is kept
    for those who cannot wait. A ban (429, 418 with Retry-After) stops everything until it has
    passed.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at = time.monotonic()
        self._banned_until = 0.0
        self._patient = asyncio.Lock()

    def ban(self, seconds: float) -> None:
        """Send nothing for so many seconds; a shorter ban does not cut a longer one."""
        self._banned_until = max(self._banned_until, time.monotonic() + seconds)

    def banned_for(self) -> float:
        """Seconds until the ban is over; 0 when there is none."""
        return max(0.0, self._banned_until - time.monotonic())

    async def acquire(self, cost: float = 1.0) -> None:
        """Wait for a place in the budget. Does not wait for a ban: ask :meth:`banned_for` first."""
        self._refill()
        self._tokens -= cost
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)

    async def acquire_patiently(self, cost: float = 1.0) -> None:
        """Wait, one after the other, until half of the burst stays for :meth:`acquire`: whoever
        calls that meanwhile goes first, but for a quarter of the budget, which the patient have
        always.
        """
        kept = min(self._burst / 2, self._burst - cost)
        async with self._patient:
            at_the_latest = time.monotonic() + cost / (self._rate * PATIENT_SHARE)
            self._refill()
            while (missing := kept + cost - self._tokens) > 0:
                left = at_the_latest - time.monotonic()
                if left <= 0:
                    break
                await asyncio.sleep(min(missing / self._rate, left))
                self._refill()
            self._tokens -= cost

    def take_spare(self, cost: float) -> bool:
        """Take a part of the budget that nobody misses: at least a quarter of the burst stays.
        False, and nothing taken, where there is less.
        """
        self._refill()
        is_spare = self._tokens - cost >= self._burst / 4
        if is_spare:
            self._tokens -= cost
        return is_spare

    def _refill(self) -> None:
        moment = time.monotonic()
        gained = (moment - self._filled_at) * self._rate
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = moment
