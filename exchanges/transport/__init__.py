"""The HTTP session under ccxt: aiohttp's own, or a lean one that does the common case itself."""

import ssl

import aiohttp

from .session import LeanSession

KEEP_ALIVE_SECONDS = 60.0
STOCK, LEAN = "STOCK", "LEAN"

Session = aiohttp.ClientSession | LeanSession

__all__ = ["LEAN", "STOCK", "LeanSession", "Session", "open_session"]


def open_session(kind: str, ssl_context: ssl.SSLContext) -> Session:
    """A session of ``kind`` for the running loop; who opens it closes it."""
    connector = aiohttp.TCPConnector(limit=0, ssl=ssl_context, keepalive_timeout=KEEP_ALIVE_SECONDS)
    session = aiohttp.ClientSession(connector=connector)
    return LeanSession(session, ssl_context, KEEP_ALIVE_SECONDS) if kind == LEAN else session
