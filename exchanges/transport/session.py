"""The part of aiohttp's session that ccxt's fetch uses, at less cost.

A request that may change something leaves once, whatever becomes of it; only a GET that found a
kept connection dead is written a second time. Failures are aiohttp's exceptions, so ccxt and our
outcomes read them as ever.
"""

import asyncio
import ssl
from types import TracebackType
from typing import Any

import aiohttp
import yarl
from multidict import CIMultiDict, CIMultiDictProxy

from exchanges.verbs import Verbs

from .answer import AnswerReader, BadHead
from .pool import ConnectionPool
from .request import Request, compose
from .wire import WireConnection

_FOLLOWED = frozenset({301, 302, 303, 307, 308})


class LeanResponse:
    """A whole answer. ``content`` is a stream read to its end, as aiohttp's is after ``text``."""

    content = aiohttp.EMPTY_PAYLOAD

    def __init__(self, url: yarl.URL, answer: AnswerReader) -> None:
        self.url = url
        self.status = answer.status
        self.reason = answer.reason
        self.headers = CIMultiDictProxy(answer.headers)
        self._body = answer.body

    async def read(self) -> bytes:
        """The body, unpacked."""
        return self._body

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """The body as text, by ``encoding``, else by the answer's charset, else UTF-8."""
        if encoding is None:
            encoding = _charset(self.headers.get("Content-Type", ""))
        try:
            return self._body.decode(encoding, errors)
        except LookupError:
            return self._body.decode("utf-8", errors)


def _charset(content_type: str) -> str:
    _, found, rest = content_type.lower().partition("charset=")
    return rest.partition(";")[0].strip(" \t\"'") if found else "utf-8"


class LeanSession(Verbs):
    """Stands where an aiohttp session stood, and owns one for all it does not do itself: proxies,
    WebSockets, redirects, uncommon options and bodies. Lives on one loop.
    """

    def __init__(
        self, inner: aiohttp.ClientSession, ssl_context: ssl.SSLContext, keep_alive: float
    ) -> None:
        self.stock = inner
        self._pool = ConnectionPool(ssl_context, keep_alive)

    def request(self, method: str, url: Any, **options: Any) -> Any:
        """An async context manager of the answer, as aiohttp's. Nothing is sent before it is
        entered.
        """
        address = url if isinstance(url, yarl.URL) else yarl.URL(url)
        composed = None
        if not self.stock.closed:
            composed = compose(method.upper(), address, options, self._cookies(address))
        if composed is None:
            return self.stock.request(method, url, **options)
        return _Exchange(self, composed, options)

    async def close(self) -> None:
        """Close kept connections and the inner session. Safe to repeat."""
        self._pool.close()
        await self.stock.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stock, name)

    def _cookies(self, url: yarl.URL) -> str:
        jar = self.stock.cookie_jar
        if not len(jar):
            return ""
        found = jar.filter_cookies(url).values()
        return "; ".join(f"{each.key}={each.coded_value}" for each in found)

    async def answer(self, request: Request) -> AnswerReader:
        """Send and read one answer; raises TimeoutError or aiohttp's ClientError."""
        deadline = asyncio.get_running_loop().time() + request.seconds
        kept = self._pool.take(request.origin)
        if kept is not None:
            try:
                return await self._ask(kept, request, deadline)
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                if request.method != "GET" or kept.has_answered:
                    raise
        async with asyncio.timeout_at(deadline):
            fresh = await self._pool.open(request.origin)
        return await self._ask(fresh, request, deadline)

    async def _ask(
        self, connection: WireConnection, request: Request, deadline: float
    ) -> AnswerReader:
        """One request over one connection, which is kept only after a whole answer."""
        timer = asyncio.get_running_loop().call_at(deadline, connection.expire)
        try:
            answer = await connection.ask(request.text)
        except BadHead as error:
            information = aiohttp.RequestInfo(
                request.url, request.method, CIMultiDictProxy(CIMultiDict()), request.url
            )
            raise aiohttp.ClientResponseError(
                information, (), status=400, message=str(error)
            ) from error
        except BaseException:
            connection.abort()
            raise
        finally:
            timer.cancel()
        self._pool.put(request.origin, connection)
        if "Set-Cookie" in answer.headers:
            cookies = answer.headers.getall("Set-Cookie")
            self.stock.cookie_jar.update_cookies_from_headers(cookies, request.url)
        return answer


class _Exchange:
    """One request between ``async with`` and its end."""

    __slots__ = ("_followed", "_options", "_request", "_session")

    def __init__(self, session: LeanSession, request: Request, options: dict[str, Any]) -> None:
        self._session = session
        self._request = request
        self._options = options
        self._followed: Any = None

    async def __aenter__(self) -> Any:
        request = self._request
        answer = await self._session.answer(request)
        if request.follows and answer.status in _FOLLOWED and "Location" in answer.headers:
            if request.method != "GET":
                raise aiohttp.ClientPayloadError("a redirect that would send the request again")
            self._followed = self._session.stock.get(request.url, **self._options)
            return await self._followed.__aenter__()
        return LeanResponse(request.url, answer)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._followed is not None:
            await self._followed.__aexit__(kind, error, trace)
