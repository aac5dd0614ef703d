"""The filters that lists take as query parameters; one that a list does not know is refused."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db import models
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from accounts.models import Book
from common.clock import from_ms
from common.errors import Invalid
from marketdata.symbols import unified_symbol

MAX_DIGITS = 18
LATEST_MS = 4_102_444_800_000
Rows = TypeVar("Rows", bound="models.QuerySet[Any]")


@dataclass(frozen=True, slots=True)
class Filter:
    """What a parameter means, for the API pages, and the way from its text to the conditions it
    stands for, which raises ValueError with what is wrong, or Invalid.
    """

    says: str
    read: Callable[[str], dict[str, Any]]


def known_parameters(request: Request, names: Iterable[str]) -> None:
    """Raise Invalid for a query parameter that is none of these."""
    unknown = sorted(set(request.query_params) - set(names))
    if unknown:
        raise Invalid(
            "Unknown query parameters.",
            fields=dict.fromkeys(unknown[:20], "is not a filter of this list"),
        )


BOOK = f"One of {', '.join(Book.values)}; without it the book all accounts are in, else paper."


def book_parameter(request: Request, name: str) -> str:
    """The book that a parameter names, in any case, empty without it; raises Invalid."""
    text = request.query_params.get(name, "").lower()
    if text and text not in Book.values:
        raise Invalid(
            "There is no such book.", fields={name: "must be one of " + ", ".join(Book.values)}
        )
    return text


def filtered(request: Request, rows: Rows, filters: Mapping[str, Filter]) -> Rows:
    """The rows that match every filter given; raises Invalid."""
    faults: dict[str, str] = {}
    for name, each in filters.items():
        text = request.query_params.get(name)
        if text is None:
            continue
        try:
            rows = rows.filter(**each.read(text))
        except ValueError as error:
            faults[name] = str(error)
    if faults:
        raise Invalid("A filter is not acceptable.", fields=faults)
    return rows


def said(filters: Mapping[str, Filter]) -> dict[str, str]:
    """What each filter means, by its parameter."""
    return {name: each.says for name, each in filters.items()}


def numbered(column: str, says: str) -> Filter:
    """Rows with this whole number."""

    def read(text: str) -> dict[str, Any]:
        if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
            raise ValueError("must be a whole number")
        return {column: int(text)}

    return Filter(says, read)


def symbols() -> Filter:
    """Rows of one symbol, in any spelling."""
    return Filter(
        "One symbol: BTC/USDT, BTC-USDT or BTC_USDT.",
        lambda text: {"symbol": unified_symbol(text)},
    )


def words(column: str, known: Mapping[str, Iterable[Any]] | Iterable[str]) -> Filter:
    """Rows with one of the values that a word, in any case, stands for."""
    values = known if isinstance(known, Mapping) else {word: [word] for word in known}
    by_word = {word.lower(): list(each) for word, each in values.items()}

    def read(text: str) -> dict[str, Any]:
        if text.lower() not in by_word:
            raise ValueError("must be one of " + ", ".join(sorted(values)))
        return {f"{column}__in": by_word[text.lower()]}

    return Filter("One of " + ", ".join(sorted(values)) + ".", read)


def moments(column: str) -> dict[str, Filter]:
    """``since`` (included) and ``until`` (excluded), as ISO 8601 with a zone or milliseconds."""
    return {
        "since": Filter(
            "Not before this moment: ISO 8601 with a zone, or milliseconds.",
            lambda text: {f"{column}__gte": _moment(text)},
        ),
        "until": Filter(
            "Before this moment: ISO 8601 with a zone, or milliseconds.",
            lambda text: {f"{column}__lt": _moment(text)},
        ),
    }


def _moment(text: str) -> datetime:
    if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS:
        if not 0 < int(text) < LATEST_MS:
            raise ValueError("is not a time in milliseconds")
        return from_ms(int(text))
    # A plus sign in a query that was not encoded arrives as a blank.
    found = parse_datetime(text.replace(" ", "+"))
    if found is None or found.tzinfo is None:
        raise ValueError("must be a time with its zone, or milliseconds")
    return found
