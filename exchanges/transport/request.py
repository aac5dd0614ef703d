"""What leaves for one request, byte for byte, and which requests are left to aiohttp. No I/O."""

from functools import lru_cache
from typing import Any, NamedTuple

import aiohttp
import yarl
from aiohttp.http import SERVER_SOFTWARE

from .pool import Origin

# What ccxt's fetch may say; anything else is left to aiohttp.
_OPTIONS = frozenset({"data", "headers", "timeout", "proxy", "allow_redirects"})
# Headers that would change how request or answer are framed.
_FRAMING = frozenset(
    {"connection", "content-length", "cookie", "expect", "host", "te", "transfer-encoding"}
    | {"trailer", "upgrade", "proxy-authorization"}
)
_CODINGS = frozenset({"gzip", "deflate", "identity", ""})
# What aiohttp says where the caller says nothing.
_DEFAULTS = {
    "accept": "Accept: */*",
    "accept-encoding": "Accept-Encoding: gzip, deflate",
    "user-agent": f"User-Agent: {SERVER_SOFTWARE}",
}


class Request(NamedTuple):
    """One request ready to be written; ``seconds`` bounds it from its start to the last byte."""

    method: str
    url: yarl.URL
    origin: Origin
    text: bytes
    seconds: float
    follows: bool


def compose(
    method: str, url: yarl.URL, options: dict[str, Any], cookies: str = ""
) -> Request | None:
    """The request as bytes, or None where it is anything but the plain case.

    Raises ValueError for a line end within the address or a header.
    """
    seconds = _seconds(options.get("timeout"))
    data, headers = options.get("data"), options.get("headers") or {}
    if seconds is None or options.get("proxy") is not None or not _OPTIONS.issuperset(options):
        return None
    if not (data is None or isinstance(data, (bytes, str))) or not isinstance(headers, dict):
        return None
    host, port = url.raw_host, url.port
    if url.scheme not in ("http", "https") or not host or port is None or url.raw_user is not None:
        return None
    if host.endswith("."):
        return None
    lines = _lines(method, url, headers, data, cookies)
    if lines is None:
        return None
    body = data.encode() if isinstance(data, str) else data or b""
    return Request(
        method,
        url,
        Origin(url.scheme == "https", host, port),
        _joined(lines) + body,
        seconds,
        bool(options.get("allow_redirects", True)),
    )


def _seconds(timeout: Any) -> float | None:
    """The one bound that ccxt means: in all, to connect and to read are the same."""
    if not isinstance(timeout, aiohttp.ClientTimeout) or not timeout.total or timeout.connect:
        return None
    is_one = all(
        each in (None, timeout.total) for each in (timeout.sock_connect, timeout.sock_read)
    )
    return timeout.total if is_one else None


def _lines(
    method: str, url: yarl.URL, headers: dict[Any, Any], data: bytes | str | None, cookies: str
) -> list[str] | None:
    """The head's lines, without the empty one; None for headers it is not sure about."""
    names = _names(headers)
    if names is None:
        return None
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}"]
    lines.extend([f"{name}: {value}" for name, value in headers.items()])
    lines.extend([line for name, line in _DEFAULTS.items() if name not in names])
    if cookies:
        lines.append(f"Cookie: {cookies}")
    if data is not None or method != "GET":
        size = len(data.encode() if isinstance(data, str) else data or b"")
        lines.append(f"Content-Length: {size}")
    if data is not None and "content-type" not in names:
        is_text = isinstance(data, str)
        kind = "text/plain; charset=utf-8" if is_text else "application/octet-stream"
        lines.append(f"Content-Type: {kind}")
    return lines


def _names(headers: dict[Any, Any]) -> set[str] | None:
    """The headers' names in lower case; None where one of them is not plain."""
    names: set[str] = set()
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            return None
        lower = name.lower()
        if lower in _FRAMING or lower in names:
            return None
        if lower == "accept-encoding" and not _is_understood(value):
            return None
        names.add(lower)
    return names


@lru_cache(maxsize=64)
def _is_understood(accept_encoding: str) -> bool:
    return all(
        each.partition(";")[0].strip().lower() in _CODINGS for each in accept_encoding.split(",")
    )


def _joined(lines: list[str]) -> bytes:
    text = "\r\n".join(lines) + "\r\n\r\n"
    ends = len(lines) + 1
    if text.count("\r") != ends or text.count("\n") != ends or "\0" in text:
        raise ValueError("a line end within a header or an address")
    return text.encode()
