"""Connections that die at any moment: the same exception from both transports, and one request."""

import asyncio

import ccxt.async_support as ccxt_async
import pytest

from exchanges.transport import LEAN
from tests.exchanges.transport.ground import (
    BODY,
    CHUNKED,
    KINDS,
    WHOLE,
    answering,
    failure,
    opened,
    reset,
    serving,
    told,
)

PARSED = {"orderId": 7, "status": "NEW"}


async def cut_everywhere(kind: str, answer: bytes, *, is_reset: bool) -> list[type]:
    """What ccxt raises for a POST whose answer ends after 0, 1, 2, ... bytes."""
    cut = 0

    async def handle(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer[:cut])
        if is_reset:
            reset(writer)
        else:
            writer.close()

    found = []
    async with serving(handle) as server, opened(kind) as session:
        for cut in range(len(answer)):
            found.append(await failure(session, server.url))
            assert len(server.requests) == server.connections == cut + 1
    return found


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED], ids=["length", "chunked"])
async def test_an_answer_cut_at_any_byte_is_told_as_by_the_stock_session(answer: bytes) -> None:
    stock, lean = [await cut_everywhere(kind, answer, is_reset=False) for kind in KINDS]
    assert lean == stock
    assert set(lean) == {ccxt_async.ExchangeNotAvailable, ccxt_async.ExchangeError}


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED], ids=["length", "chunked"])
async def test_a_reset_at_any_byte_never_looks_like_an_answer(answer: bytes) -> None:
    found = await cut_everywhere(LEAN, answer, is_reset=True)
    assert set(found) <= {ccxt_async.ExchangeNotAvailable, ccxt_async.ExchangeError}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", [WHOLE, CHUNKED], ids=["length", "chunked"])
async def test_an_answer_in_single_bytes_is_read_and_its_connection_kept(
    kind: str, answer: bytes
) -> None:
    pieces = [answer[at : at + 1] for at in range(len(answer))]
    async with serving(answering(*pieces)) as server, opened(kind) as session:
        assert [await told(session, server.url) for _ in range(3)] == [PARSED] * 3
        assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_without_a_length_ends_with_the_connection(kind: str) -> None:
    async def handle(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + BODY)
        writer.close()

    async with serving(handle) as server, opened(kind) as session:
        assert await told(session, server.url) == PARSED


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
async def test_a_kept_connection_that_dies_under_a_change_is_no_second_request(
    method: str, is_reset: bool
) -> None:
    async def handle(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.write(WHOLE)
        elif is_reset:
            reset(writer)
        else:
            writer.close()

    async with serving(handle) as server, opened(LEAN) as session:
        assert await told(session, server.url) == PARSED
        assert await failure(session, server.url, method) is ccxt_async.ExchangeNotAvailable
        assert (len(server.requests), server.connections) == (2, 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kept_connection_that_dies_under_a_get_is_asked_once_more(kind: str) -> None:
    async def handle(number: int, writer: asyncio.StreamWriter) -> None:
        if number in (1, 3):
            writer.write(WHOLE)
        else:
            writer.close()

    async with serving(handle) as server, opened(kind) as session:
        for _ in range(2):
            assert await told(session, server.url, "GET") == PARSED
        assert (len(server.requests), server.connections) == (3, 2)
        assert await failure(session, server.url, "GET") is ccxt_async.ExchangeNotAvailable
        assert len(server.requests) == 5  # the fourth died on the kept one, the fifth on a new one


async def test_a_connection_closed_while_idle_is_replaced_before_a_byte_is_written() -> None:
    async with serving(answering(WHOLE)) as server, opened(LEAN) as session:
        assert await told(session, server.url) == PARSED
        server.writers[0].close()
        # Both ends share this loop: the end of the stream is in the socket, but nobody has read it.
        await server.writers[0].wait_closed()
        assert await told(session, server.url) == PARSED
        assert (len(server.requests), server.connections) == (2, 2)


@pytest.mark.parametrize("kind", KINDS)
async def test_silence_is_a_time_out_and_its_connection_is_not_used_again(kind: str) -> None:
    async def handle(number: int, writer: asyncio.StreamWriter) -> None:
        if number > 1:
            writer.write(WHOLE)
        else:
            writer.write(WHOLE[:20])

    async with serving(handle) as server, opened(kind) as session:
        assert await failure(session, server.url, timeout=150) is ccxt_async.RequestTimeout
        assert await told(session, server.url) == PARSED
        assert (len(server.requests), server.connections) == (2, 2)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_port_that_nobody_listens_on_is_an_unavailable_exchange(kind: str) -> None:
    async with serving(answering(WHOLE)) as server:
        url = server.url
    async with opened(kind) as session:
        assert await failure(session, url) is ccxt_async.ExchangeNotAvailable
