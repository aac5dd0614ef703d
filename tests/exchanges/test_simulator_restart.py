"""The simulator as a process: what it answered survives kill -9 and SIGTERM."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
import pytest

from tests.exchanges.simulator_harness import WireSession

pytestmark = pytest.mark.slow

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"


@asynccontextmanager
async def process(
    data: Path, *options: str, end: int = signal.SIGKILL
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """A simulator process on ``data``, ended by the signal ``end``."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(MANAGE), "simulator", "--port", "0", "--data", str(data),
        "--price-mode", "fixed", *options,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3"},
    )  # fmt: skip
    assert child.stdout is not None
    line = (await asyncio.wait_for(child.stdout.readline(), 30)).decode()
    async with aiohttp.ClientSession() as http:
        try:
            yield line.split()[-1], http
        finally:
            child.send_signal(end)
            await child.wait()
            child._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
            await asyncio.sleep(0)


def client_at(url: str, http: aiohttp.ClientSession) -> Any:
    return ccxt.binance({
        "apiKey": "key-1",
        "secret": "secret-1",
        "session": WireSession(http, url),
        "options": {
            "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False,
        },
    })  # fmt: skip


async def trade_a_little(url: str, http: aiohttp.ClientSession) -> None:
    account = {"api_key": "key-1", "api_secret": "secret-1", "balances": {"USDT": "10000"}}
    await http.post(url + "/_account", json=account)
    client = client_at(url, http)
    await client.create_order("BTC/USDT", "market", "buy", 0.01)
    await client.create_order("BTC/USDT", "limit", "sell", 0.005, 50_000)
    order = await client.create_order("BTC/USDT", "limit", "buy", 0.005, 40_000)
    await client.cancel_order(order["id"], "BTC/USDT")
    await http.post(url + "/_price", json={"symbol": "BTC/USDT", "price": "47000"})
    await client.close()


async def truth_at(url: str, http: aiohttp.ClientSession) -> dict[str, Any]:
    async with http.get(url + "/dump") as response:
        truth = await response.json()
    del truth["at_ms"]
    return truth


async def test_a_killed_simulator_comes_back_with_the_same_books(tmp_path: Path) -> None:
    async with process(tmp_path) as (url, http):
        await trade_a_little(url, http)
        before = await truth_at(url, http)
    async with process(tmp_path) as (url, http):
        assert await truth_at(url, http) == before
        client = client_at(url, http)
        order = await client.create_order("BTC/USDT", "market", "sell", 0.001)
        assert (order["id"], order["trades"][0]["id"]) == ("4", "2")
        await client.close()
        await http.post(url + "/_price", json={"symbol": "BTC/USDT", "price": "50000"})
        after = await truth_at(url, http)
    assert before["prices"]["BTC/USDT"] == "47000"
    resting = after["accounts"]["key-1"]["orders"][1]
    assert (resting["status"], resting["filled"]) == ("FILLED", "0.005")


async def test_a_stopped_simulator_leaves_a_snapshot_and_an_empty_journal(tmp_path: Path) -> None:
    async with process(tmp_path, end=signal.SIGTERM) as (url, http):
        await trade_a_little(url, http)
        before = await truth_at(url, http)
    assert (tmp_path / "journal.jsonl").stat().st_size == 0
    assert (tmp_path / "snapshot.json").stat().st_mode & 0o077 == 0
    async with process(tmp_path) as (url, http):
        assert await truth_at(url, http) == before


async def test_a_second_simulator_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async with process(tmp_path):
        second = await asyncio.create_subprocess_exec(
            sys.executable, str(MANAGE), "simulator", "--port", "0", "--data", str(tmp_path),
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, text = await asyncio.wait_for(second.communicate(), 30)
        assert second.returncode == 1
        assert b"cannot start" in text


async def test_a_fault_after_acceptance_is_in_the_log_after_a_kill(tmp_path: Path) -> None:
    rule = '{"script":[{"kind":"http_502_after"}]}'
    async with process(tmp_path, "--faults", rule) as (url, http):
        client = client_at(url, http)
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await client.create_order("BTC/USDT", "market", "buy", 0.01)
        await client.close()
    async with process(tmp_path) as (url, http):
        rows = (await truth_at(url, http))["requests"]
    assert [(row["verdict"], row["fault"], row["order_id"]) for row in rows] == [
        ("accepted", "http_502_after", 1)
    ]


async def test_a_line_torn_by_the_kill_is_cut_off(tmp_path: Path) -> None:
    async with process(tmp_path) as (url, http):
        await trade_a_little(url, http)
        before = await truth_at(url, http)
    with (tmp_path / "journal.jsonl").open("a") as journal:
        journal.write('{"core":{"orders":[{"id"')
    async with process(tmp_path) as (url, http):
        assert await truth_at(url, http) == before
        await http.post(url + "/_price", json={"symbol": "BTC/USDT", "price": "48000"})
    async with process(tmp_path) as (url, http):
        assert (await truth_at(url, http))["prices"]["BTC/USDT"] == "48000"
