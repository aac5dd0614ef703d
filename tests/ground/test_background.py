"""The process's own loop for coroutines that synchronous code has to run."""

import asyncio
import os

import pytest

from common.background import BackgroundLoop


async def running() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


async def fail() -> None:
    raise OSError("the line is down")


def test_every_call_runs_on_one_loop() -> None:
    background = BackgroundLoop("test")
    assert background.run(running()) is background.run(running())


def test_what_the_coroutine_raises_is_raised() -> None:
    background = BackgroundLoop("test")
    with pytest.raises(OSError, match="the line is down"):
        background.run(fail())


def test_a_forked_process_gets_a_loop_of_its_own() -> None:
    background = BackgroundLoop("test")
    background.run(running())
    child = os.fork()
    if child == 0:
        background.run(running())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
