"""HTTP clients that speak from chosen addresses of the loopback network."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import httpx

from tests.waiting import PATIENCE

LOGIN = "/api/v1/auth/login"
HERE = "127.0.0.1"


class Clients:
    """Clients of one server; each connection comes from the address that was asked for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: list[httpx.Client] = []

    def at(self, address: str = HERE) -> httpx.Client:
        """A new client at an address of 127.0.0.0/8."""
        transport = httpx.HTTPTransport(local_address=address, verify=False)  # noqa: S501
        client = httpx.Client(base_url=self._url, transport=transport, timeout=PATIENCE)
        self._open.append(client)
        return client

    def log_in(self, name: str, password: str, address: str = HERE) -> httpx.Response:
        """One log-in over a connection of its own."""
        return self.at(address).post(LOGIN, json={"username": name, "password": password})

    def close(self) -> None:
        """Close all of them."""
        for client in self._open:
            client.close()


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """What ``act`` returns for each number; all begin at once, in threads of their own."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> Any:
        barrier.wait(PATIENCE)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def storm(url: str, bodies: Sequence[dict[str, str]], address: str = HERE) -> list[str]:
    """Log in with each body at once, each over a socket of its own; how each ended, as its code."""
    return asyncio.run(_storm(url + LOGIN, bodies, address))


async def _storm(url: str, bodies: Sequence[dict[str, str]], address: str) -> list[str]:
    connector = aiohttp.TCPConnector(limit=0, local_addr=(address, 0), force_close=True)
    timeout = aiohttp.ClientTimeout(total=PATIENCE * 2)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def one(body: dict[str, str]) -> str:
            async with session.post(url, json=body) as answer:
                told = await answer.json()
                return "ok" if answer.ok else str(told["error_code"])

        return await asyncio.gather(*map(one, bodies))
