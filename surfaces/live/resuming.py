"""Going back in the log at a client's word; the same in every dialect that has a message for it."""

from typing import Any

from channels.db import database_sync_to_async

from events.stream import bounds

from .socket import LiveSocket

_bounds = database_sync_to_async(bounds, thread_sensitive=False)


async def resume(socket: LiveSocket, after_id: Any, *, name: str) -> bool:
    """Give every channel again what came after a number; an error frame where it is none.

    ``name`` is what the dialect calls the number.
    """
    oldest, current = await _bounds()
    if isinstance(after_id, bool) or not isinstance(after_id, int):
        socket.fault(f"invalid_{name}", f"{name} must be a number.")
        return False
    if not 0 <= after_id <= current:
        socket.fault(f"invalid_{name}", f"{name} is not a number of this log.")
        return False

    async def go_back() -> None:
        await socket.emit({"type": "resumed", name: after_id, "event_id": current})
        if after_id < oldest:
            await socket.emit(socket.gap_frame(oldest, current))
        if socket.stream is not None:
            socket.stream.go_back(after_id)

    socket.writer.do(go_back)
    return True
