"""Reads settings from the environment and `.env`; a wrong value ends the process by name.

A value is never printed: it may be a credential that landed under the wrong name.
"""

import base64
import binascii
import ipaddress
import json
import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import environ

from tradingplatform.dotenv import dotenv_path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
MINIMUM_SIGNING_KEY_BYTES = 32
EXIT_USAGE = 2
_ASSIGNMENT = re.compile(r"(?:export )?[A-Za-z_0-9]+=")

T = TypeVar("T")


def refuse(name: str, reason: str) -> NoReturn:
    """End the process with exit code 2 and one line that names the setting, never its value."""
    sys.stderr.write(f"Setting {name} {reason}\n")
    raise SystemExit(EXIT_USAGE)


def _load_dotenv() -> None:
    path = dotenv_path()
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line and not line.startswith("#") and not _ASSIGNMENT.match(line):
            refuse(f"file .env, line {number},", "is not of the form NAME=value")
    environ.Env.read_env(path)


_load_dotenv()


def _raw(name: str) -> str | None:
    value = os.environ.get(name, "").strip()
    return value or None


def _read(name: str, default: T, parse: Callable[[str], T], reason: str) -> T:
    raw = _raw(name)
    if raw is None:
        return default
    try:
        return parse(raw)
    except (ValueError, ArithmeticError):
        refuse(name, reason)


def text(name: str, default: str = "") -> str:
    """A setting without a form of its own; surrounding blanks are cut."""
    return _raw(name) or default


def flag(name: str, default: bool = False) -> bool:
    """True for 1, true, yes, on; false for 0, false, no, off; anything else is refused."""
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}

    def parse(raw: str) -> bool:
        if raw.lower() not in words:
            raise ValueError
        return words[raw.lower()]

    return _read(name, default, parse, "must be true or false")


def whole(name: str, default: int, least: int = 0, most: int = 10**9) -> int:
    """A whole number within [least, most]."""

    def parse(raw: str) -> int:
        number = int(raw)
        if not least <= number <= most:
            raise ValueError
        return number

    return _read(name, default, parse, f"must be a whole number from {least} to {most}")


def seconds(name: str, default: float, least: float = 0.0, most: float = 10**7) -> float:
    """A duration in seconds, fractions allowed; infinity and NaN are refused."""

    def parse(raw: str) -> float:
        number = float(raw)
        if not least <= number <= most:
            raise ValueError
        return number

    return _read(name, default, parse, f"must be a number from {least:g} to {most:g}")


def listing(name: str, default: list[str]) -> list[str]:
    """Words separated by commas; empty words are dropped."""
    raw = _raw(name)
    return default if raw is None else [word.strip() for word in raw.split(",") if word.strip()]


def networks(name: str) -> list[str]:
    """IP addresses and networks separated by commas."""
    found = listing(name, [])
    for word in found:
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            refuse(name, "must be IP addresses or networks separated by commas")
    return found


def header(name: str) -> str:
    """The name of a request's header; empty when absent."""
    found = text(name)
    if not re.fullmatch(r"[A-Za-z0-9-]*", found):
        refuse(name, "must be the name of a header: letters, digits and dashes")
    return found


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words, any case; returned in upper case."""
    raw = (_raw(name) or default).upper()
    if raw not in allowed:
        refuse(name, f"must be one of {', '.join(allowed)}")
    return raw


def json_object(name: str) -> dict[str, Any]:
    """A JSON object, empty when absent; what it means is for its reader to judge."""
    try:
        parsed = json.loads(_raw(name) or "{}")
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        refuse(name, "must be a JSON object")
    return parsed


def passages(name: str) -> str:
    """Words with an optional count of 1 or more, `name` or `name:3`, separated by commas."""
    reason = "must be names with an optional count, like after_claim or in_flight:2"
    for word in listing(name, []):
        label, _, count = word.partition(":")
        if not label or not (count or "1").isdecimal() or int(count or "1") < 1:
            refuse(name, reason)
    return text(name)


def directory(name: str, default: Path) -> Path:
    """An absolute folder, made when missing; relative paths start at the project's root."""
    path = (BASE_DIR / (_raw(name) or default)).resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        refuse(name, "must be a folder this process may create and write")
    if not os.access(path, os.W_OK):
        refuse(name, "must be a folder this process may create and write")
    return path


def url(name: str, schemes: tuple[str, ...]) -> str | None:
    """An address with one of the schemes and a host; `None` when absent."""
    raw = _raw(name)
    if raw is None:
        return None
    try:
        parts = urlsplit(raw)
        valid = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        refuse(name, f"must be an address starting with {' or '.join(s + '://' for s in schemes)}")
    return raw


def _missing_key(name: str) -> None:
    if not flag("EPHEMERAL_KEYS"):
        refuse(name, "is missing: the first `make run` writes it to .env")


def signing_key(name: str) -> str:
    """A secret of at least 32 bytes."""
    raw = _raw(name)
    if raw is None:
        _missing_key(name)
        return secrets.token_urlsafe(48)
    if len(raw.encode()) < MINIMUM_SIGNING_KEY_BYTES:
        refuse(name, f"must have at least {MINIMUM_SIGNING_KEY_BYTES} bytes")
    return raw


def fernet_keys(name: str) -> list[str]:
    """Fernet keys (32 bytes, urlsafe base64), the writing key first."""
    keys = listing(name, [])
    if not keys:
        _missing_key(name)
        return [base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()]
    for key in keys:
        try:
            valid = len(base64.b64decode(key.encode(), altchars=b"-_", validate=True)) == 32
        except (binascii.Error, ValueError):
            valid = False
        if not valid:
            refuse(name, "must be Fernet keys (32 bytes in urlsafe base64), separated by commas")
    return keys
