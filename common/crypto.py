"""Encryption of secrets at rest: ``enc:v1:<fernet token>``, several keys, each value bound to its
row.

Fernet has no associated data, so the place a secret belongs to is part of the plaintext and
compared when it is opened: a ciphertext moved to another row or column does not open.
"""

import json
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

PREFIX = "enc:v1:"


class SealError(Exception):
    """A stored secret cannot be opened: no fitting key, damaged, or moved from its place."""


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _current_ring() -> MultiFernet:
    return _ring(tuple(settings.CREDENTIAL_KEYS))


def seal(secret: str, *, place: str) -> str:
    """Encrypt under the first key of CREDENTIAL_KEYS; ``place`` names row and column
    (``account:7:key``).
    """
    envelope = json.dumps({"place": place, "secret": secret}).encode("utf-8")
    return PREFIX + _current_ring().encrypt(envelope).decode("ascii")


def unseal(sealed: str, *, place: str) -> str:
    """The secret again. Raises SealError, whose text shows neither secret nor ciphertext."""
    if not sealed.startswith(PREFIX):
        raise SealError("not an encrypted value")
    try:
        envelope = json.loads(_current_ring().decrypt(sealed[len(PREFIX) :].encode("ascii")))
    except (InvalidToken, ValueError) as error:
        raise SealError("no key of CREDENTIAL_KEYS opens this value") from error
    if envelope.get("place") != place:
        raise SealError("the value was sealed for another place")
    return str(envelope["secret"])
