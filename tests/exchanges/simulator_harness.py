"""A running simulator for tests, and unmodified ccxt clients that reach it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import ccxt
import ccxt.async_support as ccxt_async
import requests
import yarl
from requests.adapters import HTTPAdapter

from exchanges.simulator.config import SimulatorConfig
from exchanges.simulator.server import SimulatorServer
from exchanges.verbs import Verbs


def at_address(url: str, base: str) -> str:
    """``url`` with scheme and host of ``base``; path and query stay as sent."""
    rest = url.split("://", 1)[1]
    cut = min([i for i in (rest.find("/"), rest.find("?")) if i >= 0] or [len(rest)])
    scheme = "ws" if url.startswith(("ws:", "wss:")) else "http"
    return f"{scheme}://{urlsplit(base).netloc}{rest[cut:]}"


class WireSession(Verbs):
    """An aiohttp session that sends every request to another address and leaves all else alone."""

    def __init__(self, inner: aiohttp.ClientSession, base: str) -> None:
        self._inner = inner
        self._base = base

    def request(self, method: str, url: Any, **options: Any) -> Any:
        """Send to the other address; no redirect is followed."""
        options.pop("proxy", None)
        options["allow_redirects"] = False
        address = yarl.URL(at_address(str(url), self._base), encoded=True)
        return self._inner.request(method, address, **options)

    def ws_connect(self, url: Any, **options: Any) -> Any:
        """Open a WebSocket at the other address."""
        options.pop("proxy", None)
        address = yarl.URL(at_address(str(url), self._base), encoded=True)
        return self._inner.ws_connect(address, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class WireAdapter(HTTPAdapter):
    """The same for the requests library."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        """Send to the other address."""
        request.url = at_address(str(request.url), self._base)
        return super().send(request, *args, **options)


def sync_client(base: str, key: str = "key-1", secret: str = "secret-1") -> ccxt.binance:
    """A synchronous ccxt client; close its ``session`` afterwards."""
    session = requests.Session()
    session.mount("https://", WireAdapter(base))
    return ccxt.binance({"apiKey": key, "secret": secret, "session": session})


class Rehearsal:
    """A started simulator with one HTTP session and the ccxt clients made from it."""

    def __init__(self, server: SimulatorServer, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.http = http
        self._clients: list[Any] = []

    def client(
        self, factory: Any = ccxt_async.binance, key: str = "key-1", secret: str = "secret-1"
    ) -> Any:
        """An unmodified ccxt client that loads spot markets only and throttles nothing."""
        client = factory({
            "apiKey": key,
            "secret": secret,
            "enableRateLimit": False,
            "session": WireSession(self.http, self.server.url),
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
        })  # fmt: skip
        client.options["fetchMargins"] = False
        self._clients.append(client)
        return client

    def futures_client(self, factory: Any = ccxt_async.binanceusdm, **keys: str) -> Any:
        """An unmodified ccxt client that loads USD-M markets only."""
        client = self.client(factory, **keys)
        client.options["fetchMarkets"] = {"types": ["linear"]}
        return client

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Use one of the operator's routes; returns the JSON body."""
        async with self.http.request(method, self.server.url + path, json=body) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def price(self, symbol: str, price: str) -> None:
        """Set a price; resting orders feel it before this returns."""
        await self.call("POST", "/_price", {"symbol": symbol, "price": price})

    async def fault(self, kind: str, **params: Any) -> None:
        """Let the next fitting request suffer ``kind``."""
        await self.call("POST", "/_fault", {"script": [{"kind": kind, "params": params}]})

    def go_on(self, seconds: float) -> None:
        """Set the exchange's clock forward; it takes no request of a client 10 s behind it."""
        engine, ms = self.server.engine, round(seconds * 1000)
        clock = engine.now_ms
        engine.now_ms = lambda: clock() + ms  # type: ignore[method-assign]

    async def let_arrive(self) -> None:
        """Let the one order request arrive that a fault has put off."""
        assert await self.call("POST", "/_late") == {"arrived": 1}

    async def dump(self, key: str = "key-1") -> dict[str, Any]:
        """One account's truth, with the log of its order requests under ``requests``."""
        whole = await self.call("GET", f"/dump?api_key={key}")
        return {**whole["accounts"][key], "requests": whole["requests"]}

    async def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            await client.close()


@asynccontextmanager
async def rehearsal(**settings: Any) -> AsyncIterator[Rehearsal]:
    """A simulator with fixed prices and one registered account, key-1, of 10,000 USDT and 1 BTC."""
    server = SimulatorServer(SimulatorConfig(**{"price_mode": "fixed", **settings}))
    await server.start()
    async with aiohttp.ClientSession() as http:
        venue = Rehearsal(server, http)
        account = {"api_key": "key-1", "api_secret": "secret-1"}
        funds = {"USDT": "10000", "BTC": "1"}
        await venue.call("POST", "/_account", {**account, "balances": funds})
        try:
            yield venue
        finally:
            await venue.close()
            await server.stop()
