"""What is an answer, what is not one, and what is never taken for the next one."""

import asyncio
import gzip
import zlib

import aiohttp
import ccxt.async_support as ccxt_async
import pytest

from exchanges.transport import LEAN
from exchanges.transport.answer import AnswerReader, BadHead
from tests.exchanges.transport.ground import (
    BODY,
    KINDS,
    WHOLE,
    answering,
    failure,
    opened,
    serving,
    told,
)

PARSED = {"orderId": 7, "status": "NEW"}
DEFLATED_RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
PACKED = {
    "gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "Deflate": DEFLATED_RAW.compress(BODY) + DEFLATED_RAW.flush(),
}


def packed(coding: str, body: bytes) -> bytes:
    """A 200 with a packed body."""
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def read(*pieces: bytes) -> AnswerReader:
    """Feed the pieces to a fresh reader."""
    reader = AnswerReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_packed_body_is_unpacked(kind: str, coding: str) -> None:
    answer = packed(coding, PACKED[coding])
    async with serving(answering(answer)) as server, opened(kind) as session:
        assert await told(session, server.url) == PARSED


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_a_body_that_cannot_be_unpacked_proves_nothing(coding: str) -> None:
    async with serving(answering(packed(coding, b"x" + BODY))) as server, opened(LEAN) as session:
        assert await failure(session, server.url) is ccxt_async.ExchangeError
        assert len(server.requests) == 1


def test_half_a_packed_body_is_no_answer() -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        read(packed("gzip", PACKED["gzip"][:-9]))


@pytest.mark.parametrize(
    "garbage",
    [b"nonsense\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\0" * 70_000],
    ids=["words", "version", "status", "zeros"],
)
async def test_what_is_no_http_proves_nothing(garbage: bytes) -> None:
    async with serving(answering(garbage)) as server, opened(LEAN) as session:
        assert await failure(session, server.url) is ccxt_async.ExchangeError
        assert (len(server.requests), server.connections) == (1, 1)


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 3\r\nContent-Length: 4",
        b"Content-Length: -3",
        b"Content-Length: 3, 3",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Length : 3",
        b" folded: 1",
        b"No colon",
        b"A: b\0c",
        b"A: b\nContent-Length: 3",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(headers: bytes) -> None:
    with pytest.raises(BadHead):
        read(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\nabc")


@pytest.mark.parametrize(
    "chunks", [b"g\r\n", b"-1\r\n", b"\r\n", b"2\r\nabc\r\n", b"0x2\r\nab\r\n"]
)
def test_a_chunk_that_is_not_exact_is_refused(chunks: bytes) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)


def test_interim_answers_are_passed_over_and_names_spelt_as_aiohttp_does() -> None:
    reader = read(
        b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 Gone\r\nretry-after: 3\r\n\r\n"
    )
    assert (reader.is_complete, reader.status, reader.keeps_alive) == (True, 204, True)
    assert list(reader.headers.items()) == [("Retry-After", "3")]


async def test_bytes_behind_an_answer_are_never_the_next_one() -> None:
    forged = WHOLE.replace(b"7", b"8")
    async with serving(answering(WHOLE + forged)) as server, opened(LEAN) as session:
        assert await told(session, server.url) == PARSED
        assert await told(session, server.url) == PARSED
        assert (len(server.requests), server.connections) == (2, 2)


async def test_bytes_that_come_between_two_requests_are_never_an_answer() -> None:
    async with serving(answering(WHOLE)) as server, opened(LEAN) as session:
        assert await told(session, server.url) == PARSED
        server.writers[0].write(WHOLE.replace(b"7", b"8"))
        await server.writers[0].drain()
        assert await told(session, server.url) == PARSED
        assert (len(server.requests), server.connections) == (2, 2)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hundred_requests_at_once_each_get_their_own_answer(kind: str) -> None:
    async def handle(number: int, writer: asyncio.StreamWriter) -> None:
        body = b'{"orderId": %d}' % number
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(head + body)

    async with serving(handle) as server, opened(kind) as session:
        for rounds in (1, 2):
            found = await asyncio.gather(
                *(told(session, server.url, timeout=30_000) for _ in range(100))
            )
            last = 100 * rounds
            assert sorted(each["orderId"] for each in found) == list(range(last - 99, last + 1))
        assert (len(server.requests), server.connections) == (200, 100)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_given_up_leaves_its_answer_to_nobody(kind: str) -> None:
    async def handle(number: int, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        if number > 1:
            writer.write(WHOLE)

    arrived = asyncio.Event()
    async with serving(handle) as server, opened(kind) as session:
        task = asyncio.create_task(told(session, server.url))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await told(session, server.url) == PARSED
        assert (len(server.requests), server.connections) == (2, 2)
