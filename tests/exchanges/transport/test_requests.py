"""What leaves: the same head as the stock session's, TLS by the given context, and what is left to
the stock session.
"""

import asyncio
import ssl
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.async_support as ccxt_async
import pytest
import yarl

from exchanges.transport import LEAN, LeanSession
from exchanges.transport.request import compose
from tests.exchanges.transport.ground import (
    KINDS,
    WHOLE,
    answering,
    failure,
    opened,
    serving,
    told,
)

PARSED = {"orderId": 7, "status": "NEW"}
TIMEOUT = aiohttp.ClientTimeout(total=5, sock_connect=5, sock_read=5)
URL = yarl.URL("http://127.0.0.1:1/x?a=%2B1", encoded=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-made certificate of localhost and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, chain = folder / "key.pem", folder / "chain.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", str(key), "-out", str(chain)],
        check=True,
        capture_output=True,
    )
    return chain, key


def lines(text: str) -> set[str]:
    """The lines of a request, order aside."""
    return set(text.split("\r\n"))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_the_request_is_line_for_line_the_stock_sessions(method: str) -> None:
    async with serving(answering(WHOLE)) as server:
        for kind in KINDS:
            async with opened(kind) as session:
                url = f"{server.url}?a=%2B1&b=%7B"
                assert await told(session, url, method, **{"X-KEY": "k"}) == PARSED
        stock, lean = server.requests
    assert lines(lean) == lines(stock)


@pytest.mark.parametrize("kind", KINDS)
async def test_cookies_go_back_to_where_they_came_from(kind: str) -> None:
    baked = WHOLE.replace(b"OK\r\n", b"OK\r\nSet-Cookie: route=a1; Path=/\r\n")
    async with serving(answering(baked)) as server, opened(kind) as session:
        url = server.url.replace("127.0.0.1", "localhost")
        for _ in range(2):
            assert await told(session, url) == PARSED
        assert ["Cookie: route=a1" in each for each in server.requests] == [False, True]


async def test_a_trusted_certificate_is_accepted_and_an_unknown_one_refused(
    certificate: tuple[Path, Path],
) -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    async with serving(answering(WHOLE), own) as server:
        for kind in KINDS:
            async with opened(kind, trusting) as session:
                assert [await told(session, server.url) for _ in range(2)] == [PARSED] * 2
                elsewhere = server.url.replace("localhost", "127.0.0.1")
                assert await failure(session, elsewhere) is ccxt_async.ExchangeNotAvailable
            async with opened(kind) as session:
                assert await failure(session, server.url) is ccxt_async.ExchangeNotAvailable
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": "http://127.0.0.1:1"},
        {"data": aiohttp.FormData()},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"Content-Length": "3"}},
        {"headers": {"Host": "elsewhere"}},
        {"headers": {"Accept-Encoding": "gzip, br"}},
        {"headers": {"X-Number": 1}},
        {"timeout": aiohttp.ClientTimeout(total=5, sock_read=1)},
        {"timeout": None},
        {"ssl": False},
    ],
    ids=lambda options: "-".join(options),
)
def test_what_is_uncommon_is_left_to_the_stock_session(options: dict[str, Any]) -> None:
    assert compose("POST", URL, {"timeout": TIMEOUT}) is not None
    assert compose("POST", URL, {"timeout": TIMEOUT, **options}) is None


@pytest.mark.parametrize(
    "headers", [{"X": "a\r\nY: b"}, {"X": "a\nb"}, {"X\r\n": "a"}, {"X": "\0"}]
)
def test_a_header_cannot_smuggle_another(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="line end"):
        compose("POST", URL, {"timeout": TIMEOUT, "headers": headers})


async def test_a_redirect_is_followed_for_a_get_and_never_for_a_change() -> None:
    async def handle(number: int, writer: asyncio.StreamWriter) -> None:
        moved = b"HTTP/1.1 307 Moved\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"
        writer.write(WHOLE if " /y " in server.requests[-1] else moved)

    async with serving(handle) as server, opened(LEAN) as session:
        assert await told(session, server.url, "GET") == PARSED
        sent = len(server.requests)
        assert await failure(session, server.url) is ccxt_async.ExchangeError
        assert len(server.requests) == sent + 1
        assert server.connections >= 2


async def test_a_closed_session_sends_nothing() -> None:
    async with serving(answering(WHOLE)) as server, opened(LEAN) as session:
        assert isinstance(session, LeanSession)
        await session.close()
        with pytest.raises(RuntimeError, match="closed"):
            await told(session, server.url)
        assert (session.closed, server.requests) == (True, [])
