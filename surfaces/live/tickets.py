"""Tickets that stand for a credential in a stream's address: good once, for a minute.

An address ends up in logs and histories, so that a credential has no place in it. The cache keeps
the credential under the ticket's hash, sealed with a key made of the ticket itself: who reads the
cache has nothing.
"""

import base64
import hashlib

from cryptography.fernet import Fernet
from django.core.cache import cache
from redis.exceptions import RedisError

from common.errors import Unauthenticated, Unavailable
from common.ids import digest, new_secret_token

TICKET_SECONDS = 60
MAX_TICKET_LENGTH = 100


def issue(credential: str) -> str:
    """A ticket for a credential that was found good; raises Unavailable without the cache."""
    ticket = new_secret_token()
    sealed = _sealer(ticket).encrypt(credential.encode())
    try:
        cache.set(_place(ticket), sealed, TICKET_SECONDS)
    except (RedisError, OSError) as error:
        raise _away() from error
    return ticket


def redeem(ticket: str) -> str:
    """The credential, once; of two who ask at the same time one gets it.

    Raises Unauthenticated for a ticket that is wrong, used or too old, Unavailable.
    """
    wrong = Unauthenticated("The ticket is wrong, used or too old.", code="ticket_invalid")
    if len(ticket) > MAX_TICKET_LENGTH or not ticket.isascii():
        raise wrong
    place = _place(ticket)
    try:
        sealed = cache.get(place)
        is_ours = sealed is not None and cache.delete(place)
    except (RedisError, OSError) as error:
        raise _away() from error
    if not is_ours:
        raise wrong
    return _sealer(ticket).decrypt(sealed).decode()


def _place(ticket: str) -> str:
    return f"stream-ticket:{digest(ticket)}"


def _sealer(ticket: str) -> Fernet:
    key = hashlib.sha256(b"sealed by a stream ticket:" + ticket.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def _away() -> Unavailable:
    return Unavailable("Tickets cannot be had now; try again in a moment.")
