"""Specification 001's dialect: what its answers look like and how its views read their input."""

from typing import Any

from common.clock import iso, now
from surfaces.base import DialectView


class ManagementView(DialectView):
    """The base of every view of 001; refusals have the union error body."""


def envelope(message: str, data: dict[str, Any], *, success: bool = True) -> dict[str, Any]:
    """001's ``{success, message, data}``."""
    return {"success": success, "message": message, "data": data}


def stamped(data: dict[str, Any] | None = None) -> dict[str, Any]:
    """Data with the time of the answer."""
    return {**(data or {}), "timestamp": iso(now())}
