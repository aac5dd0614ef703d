"""Specification 002's dialect: an envelope whose payload also stands flat beside its keys."""

from typing import Any

from common.clock import iso, now
from surfaces.base import DialectView
from surfaces.error_bodies import VERSION


class EnvelopeView(DialectView):
    """The base of every view of 002; refusals have the union error body."""


def enveloped(
    payload: dict[str, Any], *, status: str = "", correlation: str | None = None
) -> dict[str, Any]:
    """002's answer: the payload under ``data`` and at the top, where the envelope's own keys win:
    what kind of answer it is, and the ``id`` that the client sent.
    """
    own = {"type": "response", "version": VERSION, "timestamp": iso(now())}
    own |= {"status": status} if status else {}
    own |= {"id": correlation} if correlation else {}
    return {**payload, **own, "data": payload}
