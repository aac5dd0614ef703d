"""Warm-up: markets loaded and clients made before the first order, for the accounts of the lanes
that this process holds.
"""

import logging
import threading

from accounts.models import Account
from common.errors import DomainError
from exchanges.gateway import AccountRef, gateway, gathered
from exchanges.outcomes import VenueError

from . import lanes
from .venue_access import account_ref

logger = logging.getLogger(__name__)

WARM_UP_SECONDS = 30.0


class Warmth:
    """Which lanes' accounts this process has made clients for. :meth:`follow` may be called from
    any thread.
    """

    def __init__(self) -> None:
        self._lanes: frozenset[int] = frozenset()
        self._following = threading.Lock()

    def follow(self, held: frozenset[int]) -> int:
        """Make clients for the active accounts of lanes taken since the last call, all venues at
        once; returns how many were made. An account added later gets its client with its first use.

        Raises DatabaseError, after which the same lanes are tried again.
        """
        with self._following:
            fresh = held - self._lanes
            count = _warm_up(fresh) if fresh else 0
            self._lanes = held
        return count


def _warm_up(fresh: frozenset[int]) -> int:
    """A venue that does not answer is logged and left for its first use."""
    usable = Account.objects.usable().filter(lanes.within(fresh, "pk")).order_by("pk")
    refs = [account_ref(account) for account in usable]
    try:
        count = gateway().run(_warm(refs), timeout=WARM_UP_SECONDS)
    except VenueError:
        logger.warning("warm-up did not finish in %s s", WARM_UP_SECONDS)
        return 0
    logger.info("%s accounts are warm", count)
    return count


async def _warm(refs: list[AccountRef]) -> int:
    made = await gathered(gateway().client(ref) for ref in refs)
    for ref, result in zip(refs, made, strict=True):
        if isinstance(result, (VenueError, DomainError)):
            logger.warning("account %s not warm: %s", ref.account_id, result.code)
        elif isinstance(result, BaseException):
            logger.warning("account %s not warm: %s", ref.account_id, type(result).__name__)
    return sum(not isinstance(result, BaseException) for result in made)


here = Warmth()
