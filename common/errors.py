"""The errors the core raises; each surface renders them in its own dialect.

A ``code`` is stable, lower case and part of the product: clients and the documentation rely on it.
"""

from typing import Any


class DomainError(Exception):
    """A refusal with a stable ``code``, a sentence for people and, where it helps, the fields at
    fault.

    ``fields`` maps a field name to its fault; ``details`` carries JSON-able facts (limits, ids,
    times).
    """

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: dict[str, str] | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.fields = fields or {}
        self.details = details or {}


class BadJson(DomainError):
    """The body could not be read as JSON at all."""

    code = "invalid_json"


class TooLarge(DomainError):
    """The body exceeds the surface's limit."""

    code = "too_large"


class Unauthenticated(DomainError):
    """No credential, or one that is wrong, expired or revoked. Says no more than that."""

    code = "unauthorized"


class Denied(DomainError):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFound(DomainError):
    """Missing, or another organisation's: the two are never told apart."""

    code = "not_found"


class Invalid(DomainError):
    """Well-formed input that cannot be accepted; ``fields`` names what is wrong."""

    code = "validation_error"


class Conflict(DomainError):
    """The state of things forbids it now."""

    code = "conflict"


class Unavailable(DomainError):
    """Something outside (exchange, database, broker) does not answer; trying again later is
    safe.
    """

    code = "unavailable"


class TooMany(DomainError):
    """Too often; ``retry_after`` says in how many seconds it makes sense to try again."""

    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(message, code=code, details={"retry_after": max(1, round(retry_after))})
        self.retry_after: int = self.details["retry_after"]


class ConfigurationError(Exception):
    """A setting is missing or wrong. The text names the setting and never shows its value."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
