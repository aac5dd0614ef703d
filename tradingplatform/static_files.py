"""Serves static files in front of Django, from where the apps keep them: no collecting step.

WhiteNoise speaks WSGI. The usual bridge sends the answer from within a synchronous call; a server
that keeps the connection open would then begin the next request in the remains of that call, and
its work in threads would fail. So the answer is read in a thread and sent by the request's own
coroutine.
"""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from whitenoise import WhiteNoise

MAX_AGE_SECONDS = 300
COMPRESSED_TYPES = (b"text/", b"application/javascript", b"image/svg+xml", b"application/json")
WORTH_COMPRESSING_BYTES = 1000
AsgiApplication = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@dataclass
class _Answer:
    """What WhiteNoise said; a file is small enough to be held in memory."""

    status: int = 404
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def start(self, status: str, headers: list[tuple[str, str]], error: Any = None) -> None:
        """WSGI's `start_response`."""
        self.status = int(status.split(" ", 1)[0])
        self.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]


def _not_found(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"No such file\n"]


def _folders() -> list[str]:
    """Static folders, the winning one last: WhiteNoise keeps the file it was given last."""
    folders = []
    for finder in finders.get_finders():
        storages = getattr(finder, "storages", {})
        folders += [str(storage.location) for storage in storages.values()]
    return folders[::-1]


def _read(files: WhiteNoise, scope: dict[str, Any]) -> _Answer:
    environ = {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
    }
    for name, value in scope["headers"]:
        header = name.decode("latin-1").upper().replace("-", "_")
        environ[f"HTTP_{header}"] = value.decode("latin-1")
    answer = _Answer()
    body = files(environ, answer.start)
    try:
        answer.body = b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    return answer


class _Compressor:
    """Gzips texts once per file version; whoever does not accept gzip gets the plain body."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], bytes] = {}

    def apply(self, scope: dict[str, Any], answer: _Answer) -> _Answer:
        """The answer, compressed where that is asked for and worth it."""
        headers = dict(answer.headers)
        accepted = dict(scope["headers"]).get(b"accept-encoding", b"")
        is_text = headers.get(b"content-type", b"").startswith(COMPRESSED_TYPES)
        if answer.status != 200 or not is_text or len(answer.body) < WORTH_COMPRESSING_BYTES:
            return answer
        answer.headers.append((b"vary", b"Accept-Encoding"))
        if b"gzip" not in accepted:
            return answer
        version = (scope["path"], headers.get(b"last-modified", b""))
        if version not in self._kept:
            self._kept[version] = gzip.compress(answer.body, mtime=0)
        answer.body = self._kept[version]
        length = str(len(answer.body)).encode()
        kept = [pair for pair in answer.headers if pair[0] not in (b"content-length", b"etag")]
        answer.headers = [*kept, (b"content-length", length), (b"content-encoding", b"gzip")]
        return answer


def serve_static(application: AsgiApplication) -> AsgiApplication:
    """Answer paths under `STATIC_URL` from files and hand every other request to `application`.

    Files are listed once; with `DEBUG` they are looked up on every request.
    """
    files = WhiteNoise(_not_found, autorefresh=settings.DEBUG, max_age=MAX_AGE_SECONDS)
    compressor = _Compressor()
    for folder in _folders():
        files.add_files(folder, prefix=settings.STATIC_URL)

    async def route(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if not scope["path"].startswith(settings.STATIC_URL):
            await application(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(None, partial(_read, files, scope))
        answer = compressor.apply(scope, answer)
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": answer.headers,
            }
        )
        await send({"type": "http.response.body", "body": answer.body})

    return route
