"""A server whose pages take a second, whose sockets close or flood; a test starts and ends it."""

import asyncio
import sys
from typing import Any

from tradingplatform.embedded.server import DrainingServer

FLOOD_CHUNK = b"x" * 1024
FLOOD_CHUNKS = 20_000
sent = 0
under_way = 0


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer at once on `/`, with what was flooded on `/sent`, with how many pages are under way on
    `/busy`, after a second elsewhere.
    """
    global under_way
    if scope["type"] == "websocket":
        await _socket(scope["path"], receive, send)
        return
    if scope["path"] == "/flood":
        await _flood_events(send)
        return
    body = {"/sent": str(sent), "/busy": str(under_way)}.get(scope["path"], "done").encode()
    if body == b"done" and scope["path"] != "/":
        under_way += 1
        await asyncio.sleep(1)
        under_way -= 1
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _socket(path: str, receive: Any, send: Any) -> None:
    """Keep it open, flood it, or close it with the code that the path ends with."""
    global sent
    await receive()
    await send({"type": "websocket.accept"})
    last = path.rsplit("/", 1)[1]
    if last.isdecimal():
        await send({"type": "websocket.close", "code": int(last)})
    if last == "flood":
        for _ in range(FLOOD_CHUNKS):
            await send({"type": "websocket.send", "text": FLOOD_CHUNK.decode()})
            sent += 1
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _flood_events(send: Any) -> None:
    global sent
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(FLOOD_CHUNKS):
        await send({"type": "http.response.body", "body": FLOOD_CHUNK, "more_body": True})
        sent += 1
    await send({"type": "http.response.body"})


if __name__ == "__main__":
    DrainingServer(application, "127.0.0.1", int(sys.argv[1])).serve()
    print("ended in order")
