"""The registry of health checks: each app adds its own, the surfaces print the result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from django.db import DatabaseError, connection

Status = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of a check with a sentence that says what to do where it is not ok."""

    status: Status
    detail: str = ""


_checks: dict[str, Callable[[], CheckResult]] = {}


def register_check(name: str, check: Callable[[], CheckResult]) -> None:
    """Add a check; it must answer within a second or so and not raise."""
    _checks[name] = check


def run_checks() -> dict[str, CheckResult]:
    """Every check by name."""
    return {name: check() for name, check in sorted(_checks.items())}


def database_check() -> CheckResult:
    """Whether the database answers a trivial query."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        return CheckResult("down", "the database does not answer: see DATABASE_URL")
    return CheckResult("ok")


register_check("database", database_check)
