"""Takes secrets out of text before it is logged, stored or shown."""

import json
import re
from functools import lru_cache
from typing import Any

MASK = "***"

_NAMES = (
    r"signature|apikey|api[_-]?key|api[_-]?secret|secret|passphrase|password|listenkey|token"
    r"|access[_-]?token|refresh[_-]?token|x-api-key|x-mbx-apikey|api-sign|authorization|cookie|set-cookie"
)
# A quoted value ends at its unescaped quote, or at the end of a text that was cut off; inside JSON
# that was itself quoted, the quotes are escaped ones. No part may look far ahead from everywhere:
# a hostile text must take no longer than its length.
_PAIR = re.compile(
    rf"""(?isx) ((?:{_NAMES})\b\\{{0,8}}["']?\s*[:=]\s*) (?:bearer\s+)?
    ( "(?:\\.|[^"\\])*(?:"|\\?\Z) | '(?:\\.|[^'\\])*(?:'|\\?\Z)
    | \\{{1,8}}"(?:(?!\\{{1,8}}").)*(?:\\{{1,8}}"|\Z) | [^\s&,;}}\]]+ )"""
)
_BEARER = re.compile(r"(?i)\bbearer\s+[\w.~+/=-]+")
_OWN = re.compile(r"\btp_[A-Za-z0-9]{4,}_[A-Za-z0-9_-]{10,}|enc:v\d+:[A-Za-z0-9_=:-]+")
_JWT = re.compile(r"\beyJ[\w-]{8,500}\.[\w-]+\.[\w-]+")
_WEBHOOK_PATH = re.compile(r"(/webhook/tradingview/)(?!test\b|signals\b)[\w-]{16,}")
_SECRET_KEY = re.compile(rf"(?i)(?:{_NAMES})")
# Numbers, symbols, ids: none of the patterns above finds anything in them.
_HARMLESS = re.compile(r"(?!.*eyJ)[A-Za-z0-9.+-]*\Z")


def redact(text: str) -> str:
    """The text with credentials, signatures, bearer tokens and our own keys replaced by ``***``.

    Line breaks are made visible, so that a hostile value cannot forge a log line.
    """
    if _HARMLESS.match(text):
        return text
    text = _OWN.sub(MASK, text)
    text = _JWT.sub(MASK, text)
    text = _BEARER.sub(f"Bearer {MASK}", text)
    text = _PAIR.sub(rf"\g<1>{MASK}", text)
    return _WEBHOOK_PATH.sub(rf"\g<1>{MASK}", text)


def one_line(text: str) -> str:
    """Redacted, with line breaks escaped: for messages stored beside orders."""
    return redact(text).replace("\r", "\\r").replace("\n", "\\n")


def redact_json(value: Any) -> Any:
    """A copy of a JSON value with every string redacted and whatever stands under a secret-looking
    key masked whole; only null, true and false, which hide nothing, stay.
    """
    if isinstance(value, dict):
        return {
            key: MASK if _names_secret(str(key)) and _can_hide(item) else redact_json(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [redact_json(item) for item in value]
    return redact(value) if isinstance(value, str) else value


@lru_cache(maxsize=2048)
def _names_secret(key: str) -> bool:
    return bool(_SECRET_KEY.search(key))


def redact_body(text: str) -> str:
    """A request's body without its secrets, for storing and showing.

    JSON is read first, so that no escape in a key or value hides a secret, and written anew when
    something had to be masked; anything else is redacted as text. Never raises.
    """
    try:
        value = json.loads(text)
        masked = redact_json(value)
        if masked != value:
            return json.dumps(masked, ensure_ascii=False)
    except (ValueError, RecursionError):
        pass
    return redact(text)


def _can_hide(value: Any) -> bool:
    return value is not None and not isinstance(value, bool)
