"""Two processes with the same paper account see one book."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from exchanges.outcomes import UNKNOWN, VenueError
from exchanges.paper import BookChanged, PaperClient
from exchanges.paper_books import PaperStore
from exchanges.protocol import MarketRules, OrderRequest, Quote

BTC = MarketRules("BTC/USDT", "BTC", "USDT", "spot", Decimal("0.00001"), Decimal("0.01"))


class Row:
    """The stored row: a state and its version."""

    def __init__(self) -> None:
        self.state: dict[str, Any] | None = None
        self.version = 0
        self.loads = 0


class Process:
    """One process's view of the row, as the store keeps it."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._version = -1
        self.before_save: Callable[[], Awaitable[Any]] | None = None

    async def load(self) -> dict[str, Any] | None:
        self._row.loads += 1
        self._version = self._row.version
        return self._row.state

    async def is_current(self) -> bool:
        return self._version == self._row.version

    async def save(self, state: dict[str, Any]) -> None:
        if self.before_save is not None:
            disturb, self.before_save = self.before_save, None
            await disturb()
        if self._version != self._row.version:
            raise BookChanged
        self._row.state = state
        self._row.version += 1
        self._version += 1

    def client(self) -> PaperClient:
        return PaperClient(
            "5",
            rules=rules,
            quotes=price,
            load=self.load,
            save=self.save,
            is_current=self.is_current,
        )


async def rules(symbol: str) -> MarketRules:
    return BTC


async def price(symbol: str) -> Quote:
    return Quote("BTC/USDT", Decimal(50_000), 1)


def order(name: str) -> OrderRequest:
    return OrderRequest("BTC/USDT", "buy", "market", Decimal("0.01"), name)


async def test_an_order_of_one_process_is_found_by_the_other() -> None:
    row = Row()
    first, second = Process(row).client(), Process(row).client()
    await second.balances()
    await first.place(order("one"))
    assert await second.find_order("BTC/USDT", "one", "") is not None
    assert (await second.balances())["USDT"].free == 9_500


async def test_a_book_nobody_changed_is_not_read_again() -> None:
    row = Row()
    client = Process(row).client()
    await client.place(order("one"))
    await client.place(order("two"))
    await client.balances()
    assert row.loads == 1


async def test_an_order_that_meets_a_newer_book_is_matched_again_on_it() -> None:
    row = Row()
    slow = Process(row)
    first, second = slow.client(), Process(row).client()
    await first.balances()
    slow.before_save = lambda: second.place(order("two"))
    placed = await first.place(order("one"))
    assert placed.status == "filled"
    for client in (first, second):
        assert (await client.balances())["USDT"].free == 9_000
        assert [t.client_order_id for t in await client.trades("BTC/USDT", None)] == ["two", "one"]


async def test_a_book_that_is_always_newer_leaves_the_outcome_unknown() -> None:
    row = Row()
    process = Process(row)
    client = process.client()

    async def never(state: dict[str, Any]) -> None:
        raise BookChanged

    client._save = never
    with pytest.raises(VenueError) as caught:
        await client.place(order("one"))
    assert (caught.value.outcome, caught.value.code) == (UNKNOWN, "book_not_saved")


def test_the_store_tells_when_another_process_wrote(transactional_db: None) -> None:
    mine, other = PaperStore(5), PaperStore(5)
    assert mine.load() is None
    other.load()
    assert mine.is_current()
    other.save({"symbols": []})
    assert not mine.is_current()
    with pytest.raises(BookChanged):
        mine.save({"symbols": ["x"]})
    assert mine.load() == {"symbols": []}
    mine.save({"symbols": ["x"]})
    assert mine.is_current()


async def test_many_orders_of_two_processes_are_all_in_the_book() -> None:
    row = Row()
    clients = [Process(row).client(), Process(row).client()]
    await asyncio.gather(
        *(clients[number % 2].place(order(f"order-{number}")) for number in range(10))
    )
    assert len(await clients[0].trades("BTC/USDT", None)) == 10
