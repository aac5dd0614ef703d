"""The one writer of a socket: jobs in their order, and a client that reads slowly is noticed."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable

from .feed import Frame, encoded

Job = Callable[[], Awaitable[None]]
Send = Callable[[str], Awaitable[None]]

SEND_SECONDS = 10.0
# So many entries may come while the client does not take the last frame.
QUEUE_LENGTH = 256
MAX_WAITING_JOBS = 256
FRAMES_BETWEEN_BREATHS = 50


class Writer:
    """Sends a client's frames, and lets jobs that send wait for their turn.

    The server makes a ``send`` wait while the client does not take what was sent (see
    ``tradingplatform.embedded.backpressure``), so nothing has to be kept for it here: the log is
    its queue. ``on_slow`` is called when too much has come meanwhile, or the wait is too long.
    """

    def __init__(self, send: Send, on_slow: Callable[[], None]) -> None:
        self.wake = asyncio.Event()
        self._send = send
        self._on_slow = on_slow
        self._jobs: deque[Job] = deque()
        self._is_sending = False
        self._sending_since = 0.0
        self._behind = self._sent = 0

    def do(self, job: Job) -> None:
        """Do something after what waits already."""
        if len(self._jobs) >= MAX_WAITING_JOBS:
            self._on_slow()
            return
        self._jobs.append(job)
        self.wake.set()

    def say(self, frame: Frame) -> None:
        """Send a frame after what waits already."""
        text = encoded(frame)
        self.do(lambda: self.send_text(text))

    def news(self, count: int) -> None:
        """So many entries more can be had."""
        if self._is_sending:
            self._behind += count
            is_stuck = time.monotonic() - self._sending_since > SEND_SECONDS
            if self._behind > QUEUE_LENGTH or is_stuck:
                self._on_slow()
        elif count:
            self.wake.set()

    async def emit(self, frame: Frame) -> None:
        """Send a frame now; for jobs."""
        await self.send_text(encoded(frame))

    async def send_text(self, text: str) -> None:
        """Send an encoded frame now; for jobs.

        Also lets other connections go on now and then, since a send need not wait for anything.
        """
        self._is_sending, self._behind, self._sending_since = True, 0, time.monotonic()
        await self._send(text)
        self._is_sending = False
        self._sent += 1
        if self._sent % FRAMES_BETWEEN_BREATHS == 0:
            await asyncio.sleep(0)

    async def work(self) -> None:
        """Do all jobs that wait."""
        while self._jobs:
            await self._jobs.popleft()()

    async def rest(self, seconds: float) -> None:
        """Wait until there is something to do, at most so long."""
        if self._jobs or self.wake.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wake.wait()
