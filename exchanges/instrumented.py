"""ccxt classes with two observers: when bytes last may have left, and what the last answer was."""

import asyncio
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support as ccxt_async
from django.conf import settings

from common.clock import now
from common.crash import crash_point

from .outcomes import Wire, current_wire

IN_FLIGHT_SECONDS = 0.02


def _retry_after(headers: Any) -> float | None:
    for name, value in dict(headers or {}).items():
        if name.lower() == "retry-after":
            try:
                return max(0.0, float(value))
            except ValueError:
                return None
    return None


class Observed:
    """Mixin over a ccxt exchange; changes nothing of what is sent, but for ``unsent_headers``."""

    unsent_headers: frozenset[str] = frozenset()

    def __del__(self) -> None:
        """Nothing to warn about: the session is the gateway's, which closes it."""

    def prepare_request_headers(self, headers: Any = None) -> Any:
        """ccxt's headers without those that credit somebody with the order."""
        prepared = super().prepare_request_headers(headers)  # type: ignore[misc]
        return {name: text for name, text in prepared.items() if name not in self.unsent_headers}

    async def fetch(
        self, url: str, method: str = "GET", headers: Any = None, body: Any = None
    ) -> Any:
        """Stamp the running call's wire time before ccxt sends."""
        wire = current_wire.get()
        if wire is not None:
            wire.sent_at = now()
            wire.status = None
            wire.hosts.append(urlsplit(url).netloc)
        if method == "POST" and settings.CRASH_AT:
            # No hook of the transport tells that bytes have left; by then they have.
            asyncio.get_running_loop().call_later(IN_FLIGHT_SECONDS, crash_point, "in_flight")
        return await super().fetch(url, method, headers, body)  # type: ignore[misc]

    def parse_json(self, http_response: Any) -> Any:
        """Note whether ccxt could read the answer."""
        content = super().parse_json(http_response)  # type: ignore[misc]
        wire = current_wire.get()
        if wire is not None:
            wire.is_readable = content is not None
        return content

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, response_headers: Any, *rest: Any
    ) -> Any:
        """Note status and Retry-After of an answer before ccxt reads its body."""
        wire: Wire | None = current_wire.get()
        if wire is not None:
            wire.status = code
            wire.retry_after = _retry_after(response_headers)
        return super().on_rest_response(  # type: ignore[misc]
            code, reason, url, method, response_headers, *rest
        )


# What ccxt says of a venue, the same for all accounts and never written to.
_DESCRIPTION = ("api", "exceptions", "httpExceptions", "has", "features", "ecdsaCurves")


@lru_cache(maxsize=256)
def _described(exchange_class: type[Any]) -> dict[str, Any]:
    pattern = exchange_class()
    return {name: getattr(pattern, name) for name in _DESCRIPTION if hasattr(pattern, name)}


def share_description(exchange: Any) -> None:
    """Let an exchange use its class's one description; its own costs 0.2 MB an account."""
    exchange_class: Any = type(exchange)
    for name, value in _described(exchange_class).items():
        setattr(exchange, name, value)


@lru_cache(maxsize=128)
def observed_class(ccxt_id: str) -> type[Any]:
    """The async ccxt class of an id with the observers mixed in."""
    return type(f"Observed_{ccxt_id}", (Observed, getattr(ccxt_async, ccxt_id)), {})
