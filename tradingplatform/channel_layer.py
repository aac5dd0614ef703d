"""An in-memory channel layer that wakes a receiver waiting on another thread's event loop.

The stock layer puts into an `asyncio.Queue` from whatever thread sends; that does not wake the
loop which waits on the queue, and a message arrives with that loop's next unrelated event, up to a
second late.
"""

import asyncio
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer


class LoopSafeInMemoryChannelLayer(InMemoryChannelLayer):
    """Remembers the loop each channel was made on and delivers there.

    Within one loop it behaves as the stock layer, `ChannelFull` included. Across loops the sender
    does not wait for the delivery, and a full channel drops the message, as any lossy layer may.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._loops: dict[str, asyncio.AbstractEventLoop] = {}

    async def new_channel(self, prefix: str = "specific.") -> str:
        """A channel bound to the running loop."""
        for name, loop in list(self._loops.items()):
            if loop.is_closed():
                self._loops.pop(name, None)
        channel: str = await super().new_channel(prefix)
        self._loops[channel] = asyncio.get_running_loop()
        return channel

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Deliver on the channel's own loop; where that loop has ended the message is dropped."""
        home = self._loops.get(channel)
        if home is None or home is asyncio.get_running_loop():
            await super().send(channel, message)
        elif home.is_closed():
            self._forget(channel)
        else:
            asyncio.run_coroutine_threadsafe(self._deliver(channel, message), home)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send to every channel of the group; full channels are skipped."""
        self.require_valid_group_name(group)
        for channel in list(self.groups.get(group, {})):
            await self._deliver_from_here(channel, message)

    async def group_discard(self, group: str, channel: str) -> None:
        """Leave a group; a channel that is in no group any more is forgotten."""
        await super().group_discard(group, channel)
        if not any(channel in members for members in list(self.groups.values())):
            self._loops.pop(channel, None)

    async def flush(self) -> None:
        """Drop every channel and group."""
        await super().flush()
        self._loops.clear()

    async def _deliver_from_here(self, channel: str, message: dict[str, Any]) -> None:
        try:
            await self.send(channel, message)
        except ChannelFull:
            return

    async def _deliver(self, channel: str, message: dict[str, Any]) -> None:
        try:
            await super().send(channel, message)
        except ChannelFull:
            return

    def _forget(self, channel: str) -> None:
        self._loops.pop(channel, None)
        self._remove_from_groups(channel)
