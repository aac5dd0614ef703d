"""The floor: what a script on bare ccxt needs for the same orders. It loses orders; it is fast.

`python -m tests.bench.floor URL ACCOUNTS TRANSPORT` makes warm exchange objects that share
markets, session and TLS context, and then runs the commands it reads, one JSON object a line.
"""

import asyncio
import os
import ssl
import sys
import time
from typing import Any

import aiohttp
import ccxt.async_support as ccxt_async

from exchanges.transport import LEAN, LeanSession, Session
from tests.bench.lines import serve_lines

KEPT_SECONDS = 600
STEP = 50
# On a busy machine an answer may take long; that is measured, not given up.
PATIENCE_MS = 120_000
SYMBOL, QUANTITY = "BTC/USDT", 0.001


class Floor:
    """So many warm ccxt objects and the ways to use them."""

    def __init__(self, url: str, accounts: int, transport: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._url = url
        self._transport = transport
        self._objects: list[Any] = []
        self._loop.run_until_complete(self._make(accounts))

    async def _make(self, accounts: int) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS)
        session: Session = aiohttp.ClientSession(connector=connector)
        if self._transport == LEAN:
            session = LeanSession(session, ssl.create_default_context(), KEPT_SECONDS)
        first = self._bare(session, 0)
        await first.load_markets()
        self._objects = [first]
        for number in range(1, accounts):
            each = self._bare(session, number)
            each.set_markets_from_exchange(first)
            self._objects.append(each)
        # Connections are opened a few at a time: hundreds at once wait for each other for seconds.
        for size in range(0, accounts, STEP):
            await self._orders(size + STEP)

    def _bare(self, session: Session, number: int) -> Any:
        exchange = ccxt_async.binance(
            {
                "apiKey": f"floor-{number}",
                "secret": f"secret-{number}",
                "session": session,
                "enableRateLimit": False,
                "timeout": PATIENCE_MS,
                "options": {
                    "defaultType": "spot",
                    "fetchCurrencies": False,
                    "fetchMargins": False,
                    "fetchMarkets": {"types": ["spot"]},
                },
            }
        )
        exchange.urls["api"] = {
            name: f"{self._url}/api/v3" if name in ("public", "private") else address
            for name, address in exchange.urls["api"].items()
        }
        return exchange

    def gather(self, n: int) -> dict[str, float]:
        """One order on each of ``n`` accounts at once; seconds of wall and CPU."""
        wall, cpu = time.monotonic(), time.process_time()
        self._loop.run_until_complete(self._orders(n))
        return {"wall": time.monotonic() - wall, "cpu": time.process_time() - cpu}

    async def _orders(self, n: int) -> None:
        await asyncio.gather(*(self._order(each) for each in self._objects[:n]))

    async def _order(self, exchange: Any) -> None:
        await exchange.create_order(SYMBOL, "market", "buy", QUANTITY)

    def one(self) -> dict[str, float]:
        """One order on the first account; ``began`` is monotonic."""
        began = time.monotonic()
        self._loop.run_until_complete(self._order(self._objects[0]))
        return {"began": began, "wall": time.monotonic() - began}

    def sustain(self, n: int, seconds: float) -> dict[str, float]:
        """Fan-outs to ``n`` accounts back to back for so long."""
        began, cpu, orders = time.monotonic(), time.process_time(), 0
        while time.monotonic() - began < seconds:
            self._loop.run_until_complete(self._orders(n))
            orders += n
        return {
            "orders": orders,
            "wall": time.monotonic() - began,
            "cpu": time.process_time() - cpu,
        }


if __name__ == "__main__":
    floor = Floor(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    serve_lines({"gather": floor.gather, "one": floor.one, "sustain": floor.sustain})
    # Five hundred exchange objects would each complain that nobody closed them.
    os._exit(0)
