"""Identifiers that we make: order ids, correlation ids, tokens."""

import base64
import hashlib
import secrets
import uuid

CLIENT_ID_PREFIX = "tp"
API_KEY_PREFIX = "tp_"


def new_order_uid() -> uuid.UUID:
    """128 random bits; every venue's client order id is an encoding of them."""
    return uuid.UUID(bytes=secrets.token_bytes(16))


def base32_client_id(uid: uuid.UUID) -> str:
    """The default encoding: ``tp`` and 26 lower-case base32 characters, 28 in all, alphanumeric."""
    text = base64.b32encode(uid.bytes).decode("ascii").rstrip("=").lower()
    return CLIENT_ID_PREFIX + text


def hex_client_id(uid: uuid.UUID) -> str:
    """32 hexadecimal characters, for venues that want a bare UUID."""
    return uid.hex


def new_correlation_id() -> str:
    """An id that ties a signal to all that follows from it."""
    return uuid.uuid4().hex


def new_secret_token() -> str:
    """256 random bits, URL-safe; for path tokens, HMAC secrets and one-time links."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256 hex of a machine-made secret. Enough for 128 random bits and more, not for
    passwords.
    """
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()
