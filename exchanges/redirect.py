"""Sends a declared venue's whole traffic to its address, below ccxt, which goes on seeing the real
URLs.

ccxt picks error tables, signatures and socket kinds by URL, so the URLs it sees stay untouched;
only the wire address changes, and ``X-Forwarded-Host`` tells the receiver which host was meant.
"""

from typing import Any
from urllib.parse import urlsplit

import yarl

from .venues import Venue
from .verbs import Verbs


class HostNotDeclared(Exception):
    """A declared venue wanted to reach a host it has no address for; nothing was sent."""


def swap(url: str, base: str) -> str:
    """``url`` with scheme, host and path prefix of ``base``; path and query stay as signed.

    A WebSocket URL becomes ws or wss as ``base`` is plain or TLS.
    """
    target = urlsplit(base)
    secure = target.scheme in ("https", "wss")
    if url.startswith(("ws://", "wss://")):
        scheme = "wss" if secure else "ws"
    else:
        scheme = "https" if secure else "http"
    rest = url.split("://", 1)[1]
    cut = min([at for at in (rest.find("/"), rest.find("?")) if at >= 0] or [len(rest)])
    return f"{scheme}://{target.netloc}{target.path.rstrip('/')}{rest[cut:]}"


class RedirectSession(Verbs):
    """Stands before an aiohttp session and changes the wire address of each request and socket.

    Attributes it does not know (headers, cookie_jar, closed) are the inner session's. Redirect
    answers are not followed and proxies are dropped, so nothing leaves the declared address.
    """

    def __init__(self, inner: Any, venue: Venue) -> None:
        self._inner = inner
        self._venue = venue

    def _target(self, url: str) -> yarl.URL:
        parts = urlsplit(url)
        host, hosts = parts.netloc, self._venue.hosts
        # Streams name a port (ws-api.binance.com:443); the host alone declares it, too.
        base = self._venue.base_url or hosts.get(host) or hosts.get(parts.hostname or "")
        if not base:
            raise HostNotDeclared(f"venue {self._venue.name} declares no address for {host}")
        return yarl.URL(swap(url, base), encoded=True)

    def _options(self, url: str, options: dict[str, Any]) -> dict[str, Any]:
        host = urlsplit(url).netloc
        options["headers"] = {**(options.get("headers") or {}), "X-Forwarded-Host": host}
        options.pop("proxy", None)
        return options

    def request(self, method: str, url: Any, **options: Any) -> Any:
        """Like aiohttp's, at the declared address."""
        options["allow_redirects"] = False
        return self._inner.request(
            method, self._target(str(url)), **self._options(str(url), options)
        )

    def ws_connect(self, url: Any, **options: Any) -> Any:
        """Open a WebSocket at the declared address."""
        return self._inner.ws_connect(self._target(str(url)), **self._options(str(url), options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
