"""A mock exchange for measuring: Binance's spot dialect with as little work per request as can be.

`python -m tests.bench.venue PORT` serves until it is ended. Signatures are not verified, a market
order is filled at once at a fixed price, and the answer can be held back for some milliseconds.
`GET /_count` tells what arrived since `POST /_reset`, with times of the machine's monotonic clock.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

PRICE = Decimal(50_000)
FEE_RATE = Decimal("0.001")
# A real exchange lists so many; objects that do not share them show in the memory.
SYMBOLS = 1_500
LARGEST_PAGE = 1_000
GRACE_SECONDS = 0.5


@dataclass(slots=True)
class Book:
    """One key's money, orders by our client id, and trades in their order."""

    quote: Decimal = Decimal(1_000_000_000)
    base: Decimal = Decimal(0)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    trades: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Count:
    """What arrived since the last reset; times in monotonic seconds."""

    orders: int = 0
    repeated: int = 0
    requests: int = 0
    first_in: float = 0.0
    last_in: float = 0.0


def _filters() -> list[dict[str, str]]:
    lots = {"minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"}
    prices = {"minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"}
    return [
        {"filterType": "PRICE_FILTER", **prices},
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ]


def _symbol(base: str) -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT",
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "filters": _filters(),
    }


class Venue:
    """The exchange's state and its answers."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.count = Count()
        self.books: dict[str, Book] = {}
        self.next_id = 1
        names = ["BTC", *(f"C{number:04d}" for number in range(1, SYMBOLS))]
        self.info = json.dumps({"timezone": "UTC", "symbols": [_symbol(name) for name in names]})
        self.routes: dict[str, Callable[[str, dict[str, str]], str]] = {
            "POST /api/v3/order": self.place,
            "GET /api/v3/order": self.find,
            "GET /api/v3/openOrders": lambda key, ask: "[]",
            "GET /api/v3/myTrades": self.trades,
            "GET /api/v3/account": self.account,
            "GET /api/v3/exchangeInfo": lambda key, ask: self.info,
            "GET /api/v3/time": lambda key, ask: f'{{"serverTime":{_now_ms()}}}',
            "GET /api/v3/ticker/24hr": self.ticker,
            "GET /_count": self.counted,
            "POST /_reset": self.reset,
            "POST /_delay": self.set_delay,
        }

    def place(self, key: str, ask: dict[str, str]) -> str:
        """Fill a market order at once, with one trade in the answer."""
        now = time.monotonic()
        count, book = self.count, self._book(key)
        count.first_in = count.first_in or now
        count.last_in = now
        client_id = ask.get("newClientOrderId", "")
        if client_id in book.orders:
            count.repeated += 1
        count.orders += 1
        number, self.next_id = self.next_id, self.next_id + 1
        quantity = Decimal(ask["quantity"])
        cost = quantity * PRICE
        is_buy = ask["side"] == "BUY"
        fee = (quantity if is_buy else cost) * FEE_RATE
        book.base += quantity - fee if is_buy else -quantity
        book.quote += -cost if is_buy else cost - fee
        now_ms = _now_ms()
        order = {
            "symbol": ask["symbol"],
            "orderId": number,
            "orderListId": -1,
            "clientOrderId": client_id,
            "transactTime": now_ms,
            "time": now_ms,
            "updateTime": now_ms,
            "price": "0.00000000",
            "origQty": f"{quantity:.8f}",
            "executedQty": f"{quantity:.8f}",
            "cummulativeQuoteQty": f"{cost:.8f}",
            "status": "FILLED",
            "timeInForce": "GTC",
            "type": ask["type"],
            "side": ask["side"],
        }
        fill = {
            "price": f"{PRICE:.8f}",
            "qty": order["origQty"],
            "commission": f"{fee:.8f}",
            "commissionAsset": "BTC" if is_buy else "USDT",
        }
        book.orders[client_id] = order
        trade = {
            **fill,
            "id": number,
            "orderId": number,
            "symbol": ask["symbol"],
            "quoteQty": order["cummulativeQuoteQty"],
            "time": now_ms,
            "isBuyer": is_buy,
            "isMaker": False,
        }
        book.trades.append(trade)
        return json.dumps({**order, "fills": [{**fill, "tradeId": number}]})

    def find(self, key: str, ask: dict[str, str]) -> str:
        """An order by either id."""
        book = self._book(key)
        client_id = ask.get("origClientOrderId", "")
        found = book.orders.get(client_id) or next(
            (o for o in book.orders.values() if str(o["orderId"]) == ask.get("orderId")), None
        )
        return json.dumps(found or {"code": -2013, "msg": "Order does not exist."})

    def trades(self, key: str, ask: dict[str, str]) -> str:
        """A key's trades since a time, oldest first."""
        since = int(ask.get("startTime", "0"))
        limit = min(int(ask.get("limit", "500")), LARGEST_PAGE)
        rows = [row for row in self._book(key).trades if row["time"] >= since]
        return json.dumps(rows[:limit] if "startTime" in ask else rows[-limit:])

    def account(self, key: str, ask: dict[str, str]) -> str:
        """A key's balances."""
        book = self._book(key)
        held = {"USDT": book.quote, "BTC": book.base}
        return json.dumps(
            {
                "canTrade": True,
                "balances": [
                    {"asset": asset, "free": f"{amount:.8f}", "locked": "0.00000000"}
                    for asset, amount in held.items()
                ],
            }
        )

    def ticker(self, key: str, ask: dict[str, str]) -> str:
        """The one price there is."""
        price = f"{PRICE:.8f}"
        names = ("lastPrice", "bidPrice", "askPrice", "openPrice", "highPrice", "lowPrice")
        row = dict.fromkeys(names, price) | {"symbol": ask.get("symbol", "BTCUSDT")}
        return json.dumps(row | {"volume": "1.0", "quoteVolume": "1.0", "closeTime": _now_ms()})

    def counted(self, key: str, ask: dict[str, str]) -> str:
        """The count, and how many different orders stand in the books."""
        count = self.count
        held = sum(len(book.orders) for book in self.books.values())
        return json.dumps(
            {
                "orders": count.orders,
                "repeated": count.repeated,
                "requests": count.requests,
                "first_in": count.first_in,
                "last_in": count.last_in,
                "held": held,
            }
        )

    def reset(self, key: str, ask: dict[str, str]) -> str:
        """Start a new count."""
        self.count = Count()
        return "{}"

    def set_delay(self, key: str, ask: dict[str, str]) -> str:
        """Hold every answer to an order back for ``ms``."""
        self.delay = float(ask["ms"]) / 1000
        return "{}"

    def _book(self, key: str) -> Book:
        book = self.books.get(key)
        if book is None:
            book = self.books[key] = Book()
        return book


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests are read by hand, one after the other."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._transport: Any = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            lines = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
            total = end + 4 + int(headers.get("content-length", "0"))
            if len(self._buffer) < total:
                return
            body = self._buffer[end + 4 : total].decode()
            self._buffer = self._buffer[total:]
            self._answer(lines[0], headers.get("x-mbx-apikey", ""), body)

    def _answer(self, line: str, key: str, body: str) -> None:
        venue = self._venue
        venue.count.requests += 1
        method, target, _ = line.split(" ", 2)
        path, _, query = target.partition("?")
        route = venue.routes.get(f"{method} {path}")
        ask = dict(parse_qsl(query)) | dict(parse_qsl(body))
        text = route(key, ask) if route else '{"code":-1100,"msg":"no such route"}'
        status = "200 OK" if route and not text.startswith('{"code"') else "400 Bad Request"
        payload = text.encode()
        answer = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        ).encode() + payload
        if venue.delay and path == "/api/v3/order":
            asyncio.get_running_loop().call_later(venue.delay, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    venue = Venue()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(venue), "127.0.0.1", port, backlog=2048
    )
    print("READY", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
