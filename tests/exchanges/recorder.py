"""A venue's client over a session that records what ccxt would send and answers from a list."""

import asyncio
import json
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from exchanges.client import CcxtClient
from exchanges.connection import VenueConnection
from exchanges.venues import resolve

T = TypeVar("T")

CREDENTIALS = {
    # Coinbase signs with a PEM key or, as here, with a plain secret; Kraken's is base64.
    "apiKey": "key",
    "secret": "c2VjcmV0c2VjcmV0",
    "password": "phrase",
    "walletAddress": "0x" + "1" * 40,
    "privateKey": "0x" + "2" * 64,
}

# What the venues ask of themselves before the first order.
PROBES: dict[str, Any] = {
    "/user/query-api": {"retCode": 0, "result": {"unified": 1, "uta": 1}},
    "/v5/account/info": {"retCode": 0, "result": {"unifiedMarginStatus": 4}},
    "/account/mode": {"code": "200000", "data": {"selfAccountMode": "CLASSIC"}},
    "/account/detail": {"key": {"mode": 1}},
    "/account/settings": {"code": "00000", "data": {"accountMode": "hybrid"}},
}


@dataclass
class Request:
    """One request as it would have gone out; ``sent`` joins query and body."""

    method: str
    url: str
    body: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def sent(self) -> dict[str, Any]:
        fields: dict[str, Any] = dict(parse_qsl(urlsplit(self.url).query))
        if self.body[:1] in "[{" and self.body:
            content = json.loads(self.body)
            return fields | (content[0] if isinstance(content, list) else content)
        return fields | dict(parse_qsl(self.body))

    @property
    def everything(self) -> str:
        """Path, query and body as one text."""
        return self.url + " " + self.body


@dataclass
class Reply:
    """An answer, awaited as aiohttp's response is."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    reason: str = ""

    async def text(self, **_: Any) -> str:
        return self.body

    async def __aenter__(self) -> "Reply":
        return self

    async def __aexit__(self, *_: Any) -> None:
        return None


class RecordingSession:
    """Takes an aiohttp session's place; ``answers`` maps an end of the path to a body."""

    def __init__(self, answers: dict[str, Any] | None = None, *, status: int = 200) -> None:
        self.requests: list[Request] = []
        self.answers = answers or {}
        self.status = status
        self.headers: dict[str, str] = {}

    def _send(self, method: str, url: Any, data: Any, headers: dict[str, str]) -> Reply:
        body = data.decode() if data else ""
        self.requests.append(Request(method, str(url), body, headers))
        path = urlsplit(str(url)).path
        for end, answer in self.answers.items():
            if path.endswith(end):
                text = answer if isinstance(answer, str) else json.dumps(answer)
                return Reply(200 if end in PROBES else self.status, text)
        return Reply(200, "{}")

    def __getattr__(self, name: str) -> Callable[..., Reply]:
        if name not in ("get", "post", "put", "patch", "delete"):
            raise AttributeError(name)
        return lambda url, *, data=None, headers=None, **_: self._send(
            name.upper(), url, data, headers or {}
        )


def market(symbol: str = "BTC/USDT", **fields: Any) -> dict[str, Any]:
    """A hand-made market in ccxt's form; a symbol with a colon is a linear swap."""
    base, quote = symbol.split(":")[0].split("/")
    is_swap = ":" in symbol
    return {
        "id": base + quote,
        "lowercaseId": (base + quote).lower(),
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "settle": quote if is_swap else None,
        "baseId": base,
        "quoteId": quote,
        "settleId": quote if is_swap else None,
        "type": "swap" if is_swap else "spot",
        "spot": not is_swap,
        "margin": False,
        "swap": is_swap,
        "future": False,
        "option": False,
        "contract": is_swap,
        "linear": True if is_swap else None,
        "inverse": False if is_swap else None,
        "contractSize": "0.01" if is_swap else None,
        "active": True,
        "precision": {"amount": "0.001", "price": "0.01", "cost": "0.01"},
        "limits": {"amount": {}, "price": {}, "cost": {}, "leverage": {}},
        "info": {"orderTypes": ["MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "TAKE_PROFIT"]},
    } | fields


@dataclass
class Desk:
    """One account's client at a venue and what was sent for it."""

    client: CcxtClient
    session: RecordingSession
    exchange: Any

    @property
    def last(self) -> Request:
        return self.session.requests[-1]


def with_desk(
    ccxt_id: str,
    symbol: str,
    work: Callable[[Desk], Coroutine[Any, Any, T]],
    *,
    answers: dict[str, Any] | None = None,
    status: int = 200,
    market_fields: dict[str, Any] | None = None,
) -> T:
    """Run ``work`` on a fresh client that knows one market."""

    async def run() -> T:
        session = RecordingSession(PROBES | (answers or {}), status=status)
        market_type = "swap" if ":" in symbol else "spot"
        connection = VenueConnection(
            resolve(ccxt_id), market_type, session, ssl.create_default_context()
        )
        exchange = connection.new_exchange(CREDENTIALS)
        exchange.set_markets([market(symbol, **(market_fields or {}))])
        return await work(Desk(CcxtClient(connection, exchange), session, exchange))

    return asyncio.run(run())
