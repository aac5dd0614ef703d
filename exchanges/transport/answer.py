"""Reads one HTTP/1.1 answer from the bytes of a connection, in whatever pieces they come. No I/O.

Strict where being lenient could mix up two answers: lengths, chunks and line ends have to be exact.
"""

import re
import zlib
from collections.abc import Callable
from functools import lru_cache

from aiohttp import ClientPayloadError, hdrs
from multidict import CIMultiDict

HEAD_LIMIT = 64 * 1024
CHUNK_LINE_LIMIT = 4 * 1024
UNPACKED_LIMIT = 256 * 1024 * 1024
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9]\d\d)(?: ([^\r\n\0]*))?", re.ASCII)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
# ccxt looks headers up as aiohttp spells them, however the venue does.
_SPELLINGS = {
    str(value).lower(): str(value) for value in vars(hdrs).values() if isinstance(value, hdrs.istr)
}


class BadHead(Exception):
    """What arrived is not the head of an HTTP/1.1 answer."""


@lru_cache(maxsize=1024)
def _name(written: str) -> str:
    if not _NAME.fullmatch(written):
        raise BadHead("a header's name cannot be read")
    return _SPELLINGS.get(written.lower(), written)


@lru_cache(maxsize=256)
def _status(line: str) -> tuple[str, int, str]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise BadHead("the status line cannot be read")
    return match[1], int(match[2]), match[3] or ""


class AnswerReader:
    """The answer to one request. Feed it until ``is_complete``; then read the fields.

    ``keeps_alive`` is only true where the next answer is sure to begin after this one's last byte.
    """

    def __init__(self) -> None:
        self.status = 0
        self.reason = ""
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.body = b""
        self.is_complete = False
        self.keeps_alive = False
        self._buffer = bytearray()
        self._chunks = bytearray()
        self._seen = 0
        self._length = 0
        self._step: Callable[[], bool] = self._read_head

    @property
    def has_head(self) -> bool:
        """Whether the head has been read, so that what may be missing is of the body."""
        return self.status != 0

    def feed(self, data: bytes) -> bool:
        """Take more bytes; true once the answer is complete.

        Raises BadHead, or ClientPayloadError for a body.
        """
        self._buffer += data
        while not self.is_complete and self._step():
            pass
        if self.is_complete and self._buffer:
            self.keeps_alive = False  # bytes that nobody asked for
        return self.is_complete

    def end(self) -> bool:
        """The connection was closed in order; true if that is what completes the answer."""
        if self._step == self._read_rest and not self.is_complete:
            self._finish(bytes(self._buffer))
            self._buffer.clear()
        return self.is_complete

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", self._seen)
        if end < 0:
            self._seen = max(0, len(self._buffer) - 3)
            if len(self._buffer) > HEAD_LIMIT:
                raise BadHead("the head is too long")
            return False
        lines = self._buffer[:end].decode("utf-8", "surrogateescape").split("\r\n")
        del self._buffer[: end + 4]
        self._seen = 0
        version, status, reason = _status(lines[0])
        headers = _headers(lines)
        if status >= 200:
            self.status, self.reason, self.headers = status, reason, headers
            self._choose_body(version)
        elif status == 101:
            raise BadHead("another protocol was not asked for")
        return True

    def _choose_body(self, version: str) -> None:
        headers = self.headers
        is_closing = "close" in headers.get("Connection", "").lower()
        self.keeps_alive = version == "1" and not is_closing
        coding, lengths = (
            headers.get("Transfer-Encoding"),
            set(headers.getall("Content-Length", ())),
        )
        if coding is not None and (lengths or coding.lower() != "chunked" or version == "0"):
            raise BadHead("the length of the body is told in two ways")
        if self.status in (204, 304):
            self._finish(b"")
        elif coding is not None:
            self._step = self._read_chunk_size
        elif lengths:
            self._length = _length(lengths)
            self._step = self._read_length
        else:
            self.keeps_alive = False
            self._step = self._read_rest

    def _read_length(self) -> bool:
        if len(self._buffer) < self._length:
            return False
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._finish(body)
        return True

    def _read_rest(self) -> bool:
        return False

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > CHUNK_LINE_LIMIT or (end < 0 and len(self._buffer) > CHUNK_LINE_LIMIT):
            raise ClientPayloadError("a line between chunks is too long")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _read_chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise ClientPayloadError("the size of a chunk cannot be read")
        self._length = int(match[1], 16)
        self._step = self._read_chunk if self._length else self._read_trailer
        return True

    def _read_chunk(self) -> bool:
        if len(self._buffer) < self._length + 2:
            return False
        if self._buffer[self._length : self._length + 2] != b"\r\n":
            raise ClientPayloadError("a chunk is longer than it says")
        self._chunks += self._buffer[: self._length]
        del self._buffer[: self._length + 2]
        self._step = self._read_chunk_size
        return True

    def _read_trailer(self) -> bool:
        line = self._line()
        if line == b"":
            self._finish(bytes(self._chunks))
        return line is not None

    def _finish(self, body: bytes) -> None:
        coding = self.headers.get("Content-Encoding", "identity").lower()
        self.body = body if coding == "identity" or not body else _unpacked(coding, body)
        self.is_complete = True


def _headers(lines: list[str]) -> CIMultiDict[str]:
    found: CIMultiDict[str] = CIMultiDict()
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or "\n" in value or "\r" in value or "\0" in value:
            raise BadHead("a header cannot be read")
        found.add(_name(name), value.strip(" \t"))
    return found


def _length(written: set[str]) -> int:
    text = next(iter(written))
    if len(written) > 1 or not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadHead("the length of the body cannot be read")
    return int(text)


def _unpacked(coding: str, body: bytes) -> bytes:
    """The body without its compression; raises ClientPayloadError."""
    if coding in ("gzip", "x-gzip"):
        window = 16 + zlib.MAX_WBITS
    elif coding == "deflate":
        # By the standard with zlib's header; many leave it out.
        window = zlib.MAX_WBITS if body[0] & 0x0F == 8 else -zlib.MAX_WBITS
    else:
        raise ClientPayloadError("the body is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(window)
    try:
        content = unpacker.decompress(body, UNPACKED_LIMIT)
    except zlib.error as error:
        raise ClientPayloadError("the body cannot be unpacked") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ClientPayloadError("the packed body is not whole")
    return content
