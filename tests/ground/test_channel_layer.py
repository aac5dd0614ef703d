"""The in-memory channel layer across threads."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from tradingplatform.channel_layer import LoopSafeInMemoryChannelLayer


@pytest.fixture
def foreign_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop turning on another thread, as the engine's loop beside the server's."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_message_sent_on_another_loop_arrives_within_100_ms(
    foreign_loop: asyncio.AbstractEventLoop,
) -> None:
    layer = LoopSafeInMemoryChannelLayer()
    channel = await layer.new_channel()
    await layer.group_add("orders", channel)
    delays = []
    for number in range(20):
        receiving = asyncio.create_task(layer.receive(channel))
        await asyncio.sleep(0.005)
        sent_at = time.perf_counter()
        message = {"type": "order", "number": number}
        asyncio.run_coroutine_threadsafe(layer.group_send("orders", message), foreign_loop)
        received = await asyncio.wait_for(receiving, 5)
        delays.append(time.perf_counter() - sent_at)
        assert received == message
    assert sorted(delays)[10] < 0.1


async def test_messages_of_one_sender_keep_their_order(
    foreign_loop: asyncio.AbstractEventLoop,
) -> None:
    layer = LoopSafeInMemoryChannelLayer(capacity=1000)
    channel = await layer.new_channel()
    await layer.group_add("orders", channel)

    async def send_all() -> None:
        for number in range(200):
            await layer.group_send("orders", {"number": number})

    asyncio.run_coroutine_threadsafe(send_all(), foreign_loop)
    received = [(await layer.receive(channel))["number"] for _ in range(200)]
    assert received == list(range(200))


async def test_full_channel_loses_the_message_and_no_other(
    foreign_loop: asyncio.AbstractEventLoop,
) -> None:
    layer = LoopSafeInMemoryChannelLayer(capacity=2)
    slow, quick = await layer.new_channel(), await layer.new_channel()
    await layer.group_add("orders", slow)
    for number in range(3):
        await layer.group_send("orders", {"number": number})
    await layer.group_add("orders", quick)
    await layer.group_send("orders", {"number": 3})
    assert (await layer.receive(quick))["number"] == 3
    assert [(await layer.receive(slow))["number"] for _ in range(2)] == [0, 1]


def test_channel_of_an_ended_loop_swallows_the_message() -> None:
    layer = LoopSafeInMemoryChannelLayer()

    async def join() -> str:
        channel = await layer.new_channel()
        await layer.group_add("orders", channel)
        return channel

    channel = asyncio.run(join())
    asyncio.run(layer.send(channel, {"type": "order"}))
    assert layer.groups["orders"] == {}
