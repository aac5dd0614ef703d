"""Works that are asked for at once: so many at a time, and those of one key in their order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from surfaces.turns import Turns
from tests.waiting import await_until


class Works:
    """Works that run until they are let go, by name."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    def named(self, name: str) -> Callable[[], Awaitable[Any]]:
        """A work of that name."""
        self.ends[name] = asyncio.Event()

        async def work() -> None:
            self.running.append(name)
            await self.ends[name].wait()
            self.running.remove(name)
            if name.startswith("bad"):
                raise ValueError(name)

        return work


async def asked(turns: Turns, works: Works, *asks: tuple[str, str]) -> list[asyncio.Task[bool]]:
    """Tasks that asked for works (key, name) in this order."""
    tasks = [asyncio.create_task(turns.run(key, works.named(name), 20)) for key, name in asks]
    await await_until(lambda: works.running)
    return tasks


async def test_only_so_many_run_at_once_and_all_come_to_their_turn() -> None:
    works, turns = Works(), Turns(2)
    tasks = await asked(turns, works, ("a", "a1"), ("b", "b1"), ("c", "c1"))
    assert (works.running, turns.asked) == (["a1", "b1"], 3)
    works.ends["b1"].set()
    await await_until(lambda: works.running == ["a1", "c1"])
    works.ends["a1"].set()
    works.ends["c1"].set()
    assert await asyncio.gather(*tasks) == [True] * 3
    assert turns.asked == 0


async def test_the_works_of_one_key_follow_each_other_though_a_seat_is_free() -> None:
    works, turns = Works(), Turns(2)
    tasks = await asked(turns, works, ("a", "bad a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"))
    assert works.running == ["bad a1", "b1"]
    works.ends["bad a1"].set()
    await await_until(lambda: works.running == ["b1", "a2"])
    works.ends["a2"].set()
    await await_until(lambda: works.running == ["b1", "a3"])
    works.ends["a3"].set()
    works.ends["b1"].set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(each) for each in results] == ["ValueError('bad a1')", "True", "True", "True"]
    assert turns._last == {}


async def test_who_has_waited_long_enough_leaves_a_work_that_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    works, turns = Works(), Turns(1)
    assert await turns.run("a", works.named("bad a1"), 0.01) is False
    assert works.running == ["bad a1"]
    works.ends["bad a1"].set()
    await await_until(lambda: caplog.records)
    assert "ValueError" in caplog.text
    assert (works.running, turns._last) == ([], {})
