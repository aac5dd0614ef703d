"""Credentials that the environment gives; a key is hashed as soon as it is read."""

import uuid
from hashlib import sha256

from common.principal import ADMIN, EXPORTER, TRADER, VIEWER, OutsideKey
from tradingplatform.settings import environment
from tradingplatform.settings.api import JWT_SIGNING_KEY

ROLES = (ADMIN, TRADER, EXPORTER, VIEWER)
MIN_KEY_LENGTH = 24
# Less variety than this is no random text.
MIN_DIFFERENT_CHARACTERS = 10
FORM = "must be token:user_id:org_id:role[:label] entries separated by commas"


def _outside_keys() -> dict[str, OutsideKey]:
    """The keys of `API_KEYS` and of `API_KEY`, by their SHA-256."""
    keys: dict[str, OutsideKey] = {}
    for entry in environment.listing("API_KEYS", []):
        parts = [part.strip() for part in entry.split(":", 4)]
        if len(parts) < 4 or not parts[1] or not parts[2]:
            environment.refuse("API_KEYS", FORM)
        _add(keys, "API_KEYS", parts[0], *parts[1:4], label=parts[4] if len(parts) == 5 else "")
    single = environment.text("API_KEY")
    if single:
        role = environment.text("API_ROLE", VIEWER)
        if role.lower() not in ROLES:
            environment.refuse("API_ROLE", f"must be one of {', '.join(ROLES)}")
        user = environment.text("API_USER_ID")
        if user and not _is_id(user):
            environment.refuse("API_USER_ID", "must be a user's number or uuid")
        _add(keys, "API_KEY", single, user, "", role, label="API_KEY")
    return keys


def _add(
    keys: dict[str, OutsideKey],
    setting: str,
    token: str,
    user: str,
    organisation: str,
    role: str,
    *,
    label: str,
) -> None:
    if len(token) < MIN_KEY_LENGTH or len(set(token)) < MIN_DIFFERENT_CHARACTERS:
        environment.refuse(setting, f"must have random keys of {MIN_KEY_LENGTH} characters or more")
    if not token.isascii() or (token.startswith("eyJ") and token.count(".") == 2):
        environment.refuse(setting, "must have keys of plain characters that are no JWT")
    if role.lower() not in ROLES:
        environment.refuse(setting, f"must have roles out of {', '.join(ROLES)}")
    if not all(_is_id(each) for each in (user, organisation) if each):
        environment.refuse(setting, "must name users and organisations by number or uuid")
    key_hash = sha256(token.encode()).hexdigest()
    if key_hash in keys:
        environment.refuse(setting, "has a key twice")
    keys[key_hash] = OutsideKey(key_hash[:12], user, organisation, role.lower(), label[:80])


def _is_id(text: str) -> bool:
    if text.isascii() and text.isdecimal():
        return len(text) <= 18
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _jwt_secret() -> str:
    if not environment.text("JWT_SECRET"):
        return ""
    secret = environment.signing_key("JWT_SECRET")
    if secret == JWT_SIGNING_KEY:
        environment.refuse(
            "JWT_SECRET", "must not be JWT_SIGNING_KEY: own tokens end with a session"
        )
    return secret


OUTSIDE_KEYS = _outside_keys()
JWT_SECRET = _jwt_secret()
