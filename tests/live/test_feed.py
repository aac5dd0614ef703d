"""A feed ends when nobody listens any more, whatever its channel layer makes of a cancel."""

import asyncio
from typing import Any

import pytest

from surfaces.live import feed
from tests.waiting import PATIENCE, await_until


class Deaf:
    """A channel layer in whose first step a cancel is lost, as in ``wait_for`` of Python 3.11."""

    def __init__(self) -> None:
        self.is_waiting, self.come = False, asyncio.Event()

    async def new_channel(self) -> str:
        self.is_waiting = True
        await asyncio.wait_for(self.come.wait(), PATIENCE)
        return "channel"

    async def group_add(self, group: str, channel: str) -> None:
        """Nothing to be kept."""

    async def group_discard(self, group: str, channel: str) -> None:
        """Nothing was kept."""

    async def receive(self, channel: str) -> dict[str, Any]:
        """No message ever comes."""
        await asyncio.Event().wait()
        return {}


class Nobody:
    """A listener that does nothing."""

    def news(self, count: int) -> None:
        """Nothing is read."""

    def doubt(self, topics: frozenset[str]) -> None:
        """Nothing is looked up."""


async def test_a_cancel_that_is_lost_in_the_channel_layer_ends_a_feed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, listener = Deaf(), Nobody()

    async def number() -> int:
        return 0

    async def nothing(organisation_id: int, after: int) -> list[Any]:
        return []

    monkeypatch.setattr(feed, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(feed, "current_number", number)
    monkeypatch.setattr(feed, "read_log", nothing)
    joined = await feed.join(1, listener)
    await await_until(lambda: layer.is_waiting)
    layer.come.set()
    await asyncio.sleep(0)  # what was waited for is there, and nobody has taken it yet
    async with asyncio.timeout(PATIENCE):
        await feed.leave(1, listener)
    assert all(task.done() for task in joined._tasks)
