"""Reads JSON bodies strictly: what two readers could understand differently is refused."""

import json
from decimal import Decimal
from typing import Any, NoReturn

from common.errors import BadJson, TooLarge

MAX_BODY_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_NUMBER_LENGTH = 100


def parse_strictly(raw: bytes, *, limit: int = MAX_BODY_BYTES) -> Any:
    """The value of a JSON text; numbers with a point or exponent become Decimals.

    Raises TooLarge, or BadJson for: bytes that are not UTF-8, NaN and infinities, a name that
    stands twice in an object, nesting beyond 20, numbers beyond 100 characters, NUL characters and
    lone surrogates.
    """
    if len(raw) > limit:
        raise TooLarge(f"The body exceeds {limit} bytes.")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            parse_float=_decimal,
            parse_int=_whole,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_twins,
        )
    except (ValueError, RecursionError) as error:
        raise BadJson("The body is not valid JSON.") from error
    _check(value)
    return value


def _decimal(text: str) -> Decimal:
    return Decimal(_bounded(text))


def _whole(text: str) -> int:
    return int(_bounded(text))


def _bounded(text: str) -> str:
    if len(text) > MAX_NUMBER_LENGTH:
        raise ValueError("number too long")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def _check(value: Any) -> None:
    """Walk the value without recursion: depth, NUL characters, lone surrogates."""
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str):
            _check_text(item)
            continue
        if not isinstance(item, (dict, list)):
            continue
        if depth > MAX_DEPTH:
            raise BadJson(f"The body is nested deeper than {MAX_DEPTH} levels.")
        children = [*item, *item.values()] if isinstance(item, dict) else item
        waiting.extend((child, depth + 1) for child in children)


def _check_text(text: str) -> None:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadJson("The body has a character that cannot be stored.")
