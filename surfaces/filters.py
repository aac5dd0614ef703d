"""The filters that lists take as query parameters; one that a list does not know is refused."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db import models
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from accounts.models import Book
from common.clock import from_ms
from common.errors import Invalid

MAX_DIGITS = 18
LATEST_MS = 4_102_444_800_000
Rows = TypeVar("Rows", bound="models.QuerySet[Any]")
# From a parameter's text to the conditions it stands for; raises ValueError with what is wrong.
Filter = Callable[[str], dict[str, Any]]


def known_parameters(request: Request, names: Iterable[str]) -> None:
    """Raise Invalid for a query parameter that is none of these."""
    unknown = sorted(set(request.query_params) - set(names))
    if unknown:
        raise Invalid(
            "Unknown query parameters.",
            fields=dict.fromkeys(unknown[:20], "is not a filter of this list"),
        )


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
    for name, read in filters.items():
        text = request.query_params.get(name)
        if text is None:
            continue
        try:
            rows = rows.filter(**read(text))
        except ValueError as error:
            faults[name] = str(error)
    if faults:
        raise Invalid("A filter is not acceptable.", fields=faults)
    return rows


def equal(column: str, kind: type[int] | type[str] = str) -> Filter:
    """Rows with this value."""

    def read(text: str) -> dict[str, Any]:
        if kind is str:
            return {column: text}
        if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
            raise ValueError("must be a whole number")
        return {column: int(text)}

    return read


def words(column: str, known: Mapping[str, Iterable[Any]] | Iterable[str]) -> Filter:
    """Rows with one of the values that a word, in any case, stands for."""
    values = known if isinstance(known, Mapping) else {word: [word] for word in known}
    by_word = {word.lower(): list(each) for word, each in values.items()}

    def read(text: str) -> dict[str, Any]:
        if text.lower() not in by_word:
            raise ValueError("must be one of " + ", ".join(sorted(values)))
        return {f"{column}__in": by_word[text.lower()]}

    return read


def moments(column: str) -> dict[str, Filter]:
    """``since`` (included) and ``until`` (excluded), as ISO 8601 with a zone or milliseconds."""
    return {
        "since": lambda text: {f"{column}__gte": _moment(text)},
        "until": lambda text: {f"{column}__lt": _moment(text)},
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
