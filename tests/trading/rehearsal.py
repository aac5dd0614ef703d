"""A rehearsal exchange in a thread of its own, reached over real sockets by the platform's
gateway.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.request import Request, urlopen

from exchanges.simulator.config import SimulatorConfig
from exchanges.simulator.keys import ApiKey
from exchanges.simulator.server import SimulatorServer
from tests.waiting import PATIENCE


class Exchange:
    """The operator's view of a running rehearsal exchange."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Use one of the operator's routes; returns the JSON body."""
        data = json.dumps(body).encode() if body is not None else None
        request = Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def register(self, key: str, secret: str, like: str = "", **balances: str) -> None:
        """Open an account whose signatures are verified; it says that it is that of ``like``."""
        body = {"api_key": key, "api_secret": secret, "balances": balances}
        owner = ApiKey(like, secret).uid if like else 0
        self.call("POST", "/_account", {**body, "owner": owner})

    def price(self, symbol: str, price: str) -> None:
        """Set a price; resting orders feel it before this returns."""
        self.call("POST", "/_price", {"symbol": symbol, "price": price})

    def fault(self, kind: str, times: int = 1, **params: Any) -> None:
        """Let the next order requests suffer ``kind``."""
        match = {"method": "POST", "path": "/api/v3/order"}
        self.call(
            "POST",
            "/_fault",
            {"script": [{"match": match, "kind": kind, "times": times, "params": params}]},
        )

    def let_arrive(self) -> None:
        """Let the one order request arrive that ``late_accept`` has put off."""
        assert self.call("POST", "/_late") == {"arrived": 1}

    def end_silence(self) -> None:
        """Let all answers go that ``hang_after`` holds back."""
        self.call("POST", "/_late")

    def dump(self, key: str) -> dict[str, Any]:
        """One account's truth."""
        return dict(self.call("GET", f"/dump?api_key={key}")["accounts"].get(key, {}))

    def orders(self, key: str) -> list[dict[str, Any]]:
        """The orders the exchange really holds for a key."""
        return list(self.dump(key).get("orders", []))

    def held(self, key: str, currency: str) -> Decimal:
        """Free and locked, as the exchange says."""
        balance = self.dump(key)["balances"].get(currency, {"free": "0", "used": "0"})
        return Decimal(balance["free"]) + Decimal(balance["used"])


@contextmanager
def running_exchange(**config: Any) -> Iterator[Exchange]:
    """Start a rehearsal exchange with fixed prices on a free port; stop it at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = SimulatorServer(SimulatorConfig(**{"price_mode": "fixed", **config}))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(PATIENCE)
    try:
        yield Exchange(server.url)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()
