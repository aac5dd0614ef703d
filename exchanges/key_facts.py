"""What a venue says of a key when it is entered: whose it is, and whether it may withdraw."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from common.errors import DomainError

from .client import CcxtClient
from .gateway import gateway
from .outcomes import VenueError
from .quirks import quirks_of
from .venues import Venue

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """``identity`` is the venue's number of the key's account, empty where it was not told;
    ``may_withdraw`` is None where it was not.
    """

    identity: str = ""
    may_withdraw: bool | None = None


def read_key_facts(venue: Venue, market_type: str, credentials: Mapping[str, str]) -> KeyFacts:
    """Ask the venue with credentials by ccxt's names, which are kept nowhere; what it does not
    answer within seconds is not told. Raises nothing. Not within a transaction.
    """
    quirks = quirks_of(venue.ccxt_id, market_type)
    if quirks.identity_question is None and quirks.key_question is None:
        return KeyFacts()
    try:
        return gateway().run(_facts(venue, market_type, credentials), timeout=PATIENCE_SECONDS)
    except (VenueError, DomainError):
        return KeyFacts()


async def _facts(venue: Venue, market_type: str, credentials: Mapping[str, str]) -> KeyFacts:
    connection = await gateway().connection(venue, market_type)
    await connection.public()
    client = CcxtClient(connection, connection.new_exchange(dict(credentials)))
    return KeyFacts(await _told(client.identity) or "", await _told(client.may_withdraw))


async def _told(question: Callable[[], Awaitable[T]]) -> T | None:
    try:
        return await question()
    except VenueError:
        return None
    except Exception:  # an answer in a form that nobody knows tells nothing
        logger.exception("what a venue said of a key was not read")
        return None
