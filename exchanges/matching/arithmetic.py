"""Decimal arithmetic that never rounds."""

import functools
from collections.abc import Callable
from decimal import localcontext
from typing import ParamSpec, TypeVar

from exchanges.matching.records import EXACT

P = ParamSpec("P")
R = TypeVar("R")


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` with decimal arithmetic that never rounds."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return wrapped
